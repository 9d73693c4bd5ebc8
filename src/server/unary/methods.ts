import type { DescMethodUnary } from "@bufbuild/protobuf";
import {
  type ConnectRouter,
  createConnectRouter,
  createMethodImplSpec,
  createServiceImplSpec,
  type MethodImplSpec,
} from "@connectrpc/connect";
import { type Interceptors, type RunUnary, unaryChain } from "../../rpc/calls/unary.js";

/** A unary method at a listener. */
export interface UnaryMethod {
  readonly desc: DescMethodUnary;
  readonly run: RunUnary;
  /** How many bytes a request message may have. */
  readonly readMaxBytes: number;
}

/** A method with its implementation, and how many bytes a request message of it may have. */
export type LimitedSpec = MethodImplSpec & { readonly readMaxBytes: number };

/** Lists what routes would hand to a router. `readMaxBytes` holds where they do not say otherwise. */
export function specsOf(routes: (router: ConnectRouter) => void, readMaxBytes: number): LimitedSpec[] {
  const specs: LimitedSpec[] = [];
  const router: ConnectRouter = {
    handlers: createConnectRouter().handlers,
    service(service, implementation, options) {
      const { methods } = createServiceImplSpec(service, implementation);
      specs.push(...Object.values(methods).map((spec) => ({ readMaxBytes, ...options, ...spec })));
      return router;
    },
    rpc(method, implementation, options) {
      const spec = createMethodImplSpec(method, implementation) as MethodImplSpec;
      specs.push({ readMaxBytes, ...options, ...spec });
      return router;
    },
  };
  routes(router);
  return specs;
}

/** The path at which a method is called. */
export function pathOfMethod({ parent, name }: MethodImplSpec["method"]): string {
  return `/${parent.typeName}/${name}`;
}

/** The unary methods by their paths, each with its chain put together. */
export function unaryMethodsOf(
  specs: readonly LimitedSpec[],
  interceptors: Interceptors,
): ReadonlyMap<string, UnaryMethod> {
  const methods = new Map<string, UnaryMethod>();
  for (const spec of specs) {
    if (spec.kind !== "unary") continue;
    const { method: desc, readMaxBytes } = spec;
    methods.set(pathOfMethod(desc), { desc, run: unaryChain(spec, interceptors), readMaxBytes });
  }
  return methods;
}
