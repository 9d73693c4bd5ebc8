import type { Knex } from "knex";
import { type AccessOf, ownInterceptor } from "../callers/access.js";
import { type Authenticate, authInterceptor } from "../callers/auth.js";
import { type Origins, originInterceptor } from "../callers/origins.js";
import type { Clock } from "../ids.js";
import type { Logger } from "../log.js";
import { validateInterceptor } from "../requests/validate.js";
import { callInterceptor } from "./call.js";
import { failureInterceptor } from "./failure.js";
import type { Interceptors } from "./unary.js";

interface InterceptorDeps {
  readonly db: Knex;
  readonly clock: Clock;
  /** Known once the public port listens. */
  readonly publicUrl: () => string;
  /** Told of a tenant that a call has changed. */
  readonly announce: (tenantId: string) => void;
  readonly logger: Logger;
  readonly authenticate: Authenticate;
  readonly accessOf: AccessOf;
  /** The word for a subject in errors. */
  readonly subjectName: string;
  readonly origins: Omit<Origins, "publicUrl">;
}

/** The interceptors of every call, the outermost first. */
export function createInterceptors(deps: InterceptorDeps): Interceptors {
  return {
    onHeader: [
      // Outermost, so that what any other throws leaves as a status with one ErrorInfo.
      failureInterceptor(deps.logger),
      // Before a byte of the body is read, so that strangers cost nothing and learn nothing from the rules.
      authInterceptor(deps.authenticate, deps.accessOf),
      // Once it is known whose list of origins decides, before a page learns anything else.
      originInterceptor({ ...deps.origins, publicUrl: deps.publicUrl }),
    ],
    onMessage: [
      // Before a transaction is opened for a request that is refused anyway.
      validateInterceptor,
      // Before an answer is remembered or replayed, so that nobody gets another's.
      ownInterceptor(deps.accessOf, deps.subjectName),
      // Innermost, so that what is left for after the commit is done before the answer leaves.
      callInterceptor(deps),
    ],
  };
}
