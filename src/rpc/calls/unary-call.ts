import type { DescMethod, DescService, Message } from "@bufbuild/protobuf";
import {
  type ContextValues,
  createContextValues,
  type HandlerContext,
  type UnaryRequest,
  type UnaryResponse,
} from "@connectrpc/connect";

/** A unary call after its header has arrived. */
export interface UnaryStart {
  readonly method: DescMethod;
  /** `connect`, `grpc` or `grpc-web`. */
  readonly protocolName: string;
  readonly requestMethod: string;
  readonly header: Headers;
  /** Made only if somebody asks. */
  readonly url: () => string;
  /** Reads and parses the body; called once, when the header has passed. */
  readonly readMessage: () => Promise<Message>;
}

/**
 * One unary call: the request that interceptors see, the context that its handler gets, and the header of the answer, in
 * one object. What few calls need, such as an abort signal, is made when it is first read.
 */
export class UnaryCall implements UnaryRequest, HandlerContext {
  readonly stream = false;
  readonly method: UnaryRequest["method"];
  readonly contextValues: ContextValues = createContextValues();
  readonly header: Headers;
  /** The request message, once the body is read. */
  declare message: UnaryRequest["message"];
  /** When the call ends unanswered, as of Date.now(). */
  until = Number.POSITIVE_INFINITY;
  /** Told why the call ended before it was answered. */
  onAbort: ((reason: Error) => void) | undefined;
  private readonly start: UnaryStart;
  private abortReason: Error | undefined;
  private controller: AbortController | undefined;
  private headers: Headers | undefined;
  private trailers: Headers | undefined;

  constructor(start: UnaryStart) {
    this.start = start;
    this.method = start.method as UnaryRequest["method"];
    this.header = start.header;
  }

  get service(): DescService {
    return this.method.parent;
  }

  get protocolName(): string {
    return this.start.protocolName;
  }

  get requestMethod(): string {
    return this.start.requestMethod;
  }

  get url(): string {
    return this.start.url();
  }

  get values(): ContextValues {
    return this.contextValues;
  }

  get requestHeader(): Headers {
    return this.header;
  }

  get responseHeader(): Headers {
    this.headers ??= new Headers();
    return this.headers;
  }

  get responseTrailer(): Headers {
    this.trailers ??= new Headers();
    return this.trailers;
  }

  /** Header fields of the answer; undefined where nobody set one. */
  get givenHeader(): Headers | undefined {
    return this.headers;
  }

  /** Trailers of the answer; undefined where nobody set one. */
  get givenTrailer(): Headers | undefined {
    return this.trailers;
  }

  get signal(): AbortSignal {
    if (this.controller === undefined) {
      this.controller = new AbortController();
      if (this.abortReason !== undefined) this.controller.abort(this.abortReason);
    }
    return this.controller.signal;
  }

  /** Why the call ended before it was answered. */
  get aborted(): Error | undefined {
    return this.abortReason;
  }

  readonly timeoutMs = () => (this.until === Number.POSITIVE_INFINITY ? undefined : this.until - Date.now());

  async read(): Promise<void> {
    this.message = await this.start.readMessage();
  }

  /** Ends a call that is not answered: its client has gone, or its time is over. */
  abort(reason: Error): void {
    if (this.abortReason !== undefined) return;
    this.abortReason = reason;
    this.controller?.abort(reason);
    this.onAbort?.(reason);
  }
}

/** The answer of a unary call as interceptors see it. */
export class UnaryAnswer implements UnaryResponse {
  readonly stream = false;
  readonly message: UnaryResponse["message"];
  private readonly call: UnaryCall;

  constructor(call: UnaryCall, message: UnaryResponse["message"]) {
    this.call = call;
    this.message = message;
  }

  get method(): UnaryResponse["method"] {
    return this.call.method;
  }

  get service(): DescService {
    return this.call.service;
  }

  get header(): Headers {
    return this.call.responseHeader;
  }

  get trailer(): Headers {
    return this.call.responseTrailer;
  }
}
