import { create, toBinary } from "@bufbuild/protobuf";
import { PhotoService, UploadPhotoRequestSchema } from "../../../gen/clientele/v1/photos_pb.js";
import type { Upload } from "../../server/http/uploads.js";
import { maxPhotoBytes } from "./image.js";

/** The largest UploadPhoto message, in bytes: a photo in base64, as JSON carries it, and room for the rest. */
export const maxUploadMessage = Math.ceil(maxPhotoBytes / 3) * 4 + 4096;

/** A photo as a form: `POST /v1/customers/{customer_id}/photo`. */
export const photoUpload: Upload = {
  path: /^\/v1\/customers\/([^/]+)\/photo$/,
  method: PhotoService.method.uploadPhoto,
  field: "photo",
  maxBytes: maxPhotoBytes,
  request: (customerId, content) =>
    toBinary(UploadPhotoRequestSchema, create(UploadPhotoRequestSchema, { customerId, content })),
};
