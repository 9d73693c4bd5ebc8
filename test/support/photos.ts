import { fromJson, type JsonValue } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { errorFromJson } from "@connectrpc/connect/protocol-connect";
import { expect } from "vitest";
import type { Customer } from "../../gen/clientele/v1/customers_pb.js";
import { UploadPhotoResponseSchema } from "../../gen/clientele/v1/photos_pb.js";
import type { Clientele, Clients, TestAccount } from "./clientele.js";

export type Body = NonNullable<RequestInit["body"]>;

/** Uploads a photo by a call. */
export async function uploadByCall({ photos }: Clients, customerId: string, content: Buffer): Promise<Customer> {
  return (await photos.uploadPhoto({ customerId, content })).customer!;
}

/** A form with a photo, whose name and type are lies. */
export function formOf(content: Buffer): FormData {
  const form = new FormData();
  form.append("photo", new Blob([new Uint8Array(content)], { type: "text/html" }), "me.exe");
  return form;
}

/** Posts forms to a service, with the test key of an account unless other header fields are given. */
export function formPoster({ httpUrl }: Clientele, { testKey }: TestAccount) {
  const send = (customerId: string, body: Body, headers: Record<string, string> = { "api-key": testKey }) =>
    fetch(`${httpUrl}/v1/customers/${encodeURIComponent(customerId)}/photo`, { method: "POST", headers, body });
  return {
    send,
    /** Throws what a client of Connect would see. */
    async post(customerId: string, body: Body, headers?: Record<string, string>): Promise<Customer> {
      const answer = await send(customerId, body, headers);
      expect(answer.headers.get("content-type")).toBe("application/json");
      const json = (await answer.json()) as JsonValue;
      if (answer.status !== 200) throw errorFromJson(json, undefined, new ConnectError("no error", Code.Unknown));
      return fromJson(UploadPhotoResponseSchema, json).customer!;
    },
  };
}
