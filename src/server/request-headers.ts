import type { IncomingHttpHeaders } from "node:http";

/**
 * The header fields of a request, read where Node left them. Headers of the platform, which cost more than the rest of a
 * small call, are made only when somebody lists or changes the fields.
 */
export class RequestHeaders implements Headers {
  private readonly fields: IncomingHttpHeaders;
  private made: Headers | undefined;

  constructor(fields: IncomingHttpHeaders) {
    this.fields = fields;
  }

  get(name: string): string | null {
    if (this.made !== undefined || name.startsWith(":")) return this.all.get(name);
    const value = this.fields[name] ?? this.fields[name.toLowerCase()];
    return value === undefined ? null : typeof value === "string" ? value : value.join(", ");
  }

  has(name: string): boolean {
    return this.get(name) !== null;
  }

  append(name: string, value: string): void {
    this.all.append(name, value);
  }

  delete(name: string): void {
    this.all.delete(name);
  }

  set(name: string, value: string): void {
    this.all.set(name, value);
  }

  getSetCookie(): string[] {
    return this.all.getSetCookie();
  }

  forEach(visit: (value: string, name: string, headers: Headers) => void): void {
    this.all.forEach(visit);
  }

  entries() {
    return this.all.entries();
  }

  keys() {
    return this.all.keys();
  }

  values() {
    return this.all.values();
  }

  [Symbol.iterator]() {
    return this.all.entries();
  }

  private get all(): Headers {
    this.made ??= headersOf(this.fields);
    return this.made;
  }
}

/** The header fields of a request as the platform has them; binary ones of gRPC stay in base64. */
export function headersOf(fields: IncomingHttpHeaders): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined || name.startsWith(":")) continue;
    for (const single of Array.isArray(value) ? value : [value]) headers.append(name, single);
  }
  return headers;
}
