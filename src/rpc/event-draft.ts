/** One change of one resource, before it is written; never a personal value. */
export interface EventDraft {
  /** The resource and what became of it, such as `customer.updated`. */
  readonly type: string;
  /** Paths of the message, in snake_case. */
  readonly changedPaths: readonly string[];
  /** Who did it: the id of a key, or `system`. */
  readonly actor: string;
  readonly time: Date;
}
