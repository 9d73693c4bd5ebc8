import { queueFull } from "../../rpc/errors.js";

/** How many bytes of request bodies the process holds that are not decoded yet. */
export interface BodyBudget {
  /** Begins to count a body, for a tenant or, without one, for all callers whose tenant is not known. */
  open(tenantId: string | undefined): BodyCount;
}

/** The bytes of one body. */
export interface BodyCount {
  /** Counts bytes that have arrived. Beyond the budget a body has to go, and it may be this one. */
  add(bytes: number): void;
  /** Why the body had to go. */
  readonly refusal: Error | undefined;
  /** Told when the body has to go. */
  onRefusal: ((error: Error) => void) | undefined;
  /** Counts the body no longer: it is decoded, or dropped. */
  close(): void;
}

/** No tenant takes more than this part of the budget. */
const tenantShare = 1 / 2;

/**
 * Makes the budget of a process. Beyond it the largest body goes, of equals the oldest: of the tenant that holds too much,
 * else of the one that holds most. So a flood of bodies that never end leaves the small ones of others alone.
 */
export function createBodyBudget(maxBytes: number): BodyBudget {
  const tenants = new Map<string, Holding>();
  let total = 0;
  return {
    open(tenantId = "") {
      let holding = tenants.get(tenantId);
      if (holding === undefined) {
        holding = { tenantId, bytes: 0, bodies: new Set() };
        tenants.set(tenantId, holding);
      }
      const body = new Body(holding, change);
      holding.bodies.add(body);
      return body;
    },
  };

  // Of a body that is over, `bytes` is negative.
  function change(body: Body, bytes: number): void {
    const { holding } = body;
    holding.bytes += bytes;
    total += bytes;
    if (bytes <= 0) {
      holding.bodies.delete(body);
      if (holding.bodies.size === 0) tenants.delete(holding.tenantId);
      return;
    }
    while (holding.bytes > maxBytes * tenantShare) largestOf(holding).refuse(queueFull());
    while (total > maxBytes) largestOf(mostOf(tenants)).refuse(queueFull());
  }
}

/** The bodies of a tenant. */
interface Holding {
  readonly tenantId: string;
  bytes: number;
  readonly bodies: Set<Body>;
}

class Body implements BodyCount {
  bytes = 0;
  refusal: Error | undefined;
  onRefusal: ((error: Error) => void) | undefined;
  #isOpen = true;

  constructor(
    readonly holding: Holding,
    readonly change: (body: Body, bytes: number) => void,
  ) {}

  add(bytes: number): void {
    if (!this.#isOpen || bytes === 0) return;
    this.bytes += bytes;
    this.change(this, bytes);
  }

  refuse(error: Error): void {
    this.refusal = error;
    this.close();
    this.onRefusal?.(error);
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.change(this, -this.bytes);
  }
}

function largestOf({ bodies }: Holding): Body {
  return [...bodies].reduce((largest, body) => (body.bytes > largest.bytes ? body : largest));
}

function mostOf(tenants: ReadonlyMap<string, Holding>): Holding {
  return [...tenants.values()].reduce((most, holding) => (holding.bytes > most.bytes ? holding : most));
}
