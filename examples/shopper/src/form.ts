import { Code, ConnectError } from "@connectrpc/connect";
import { BadRequestSchema } from "../../../gen/google/rpc/error_details_pb.js";
import { element } from "./dom.js";
import { session } from "./session.js";

/** The fields of a form. */
export type Value = string | number | boolean;

/** A field of a form, as the service constrains it. */
export interface Field {
  /** Its path in the request, in snake_case, such as `customer.first_name`: what errors call it. */
  readonly path: string;
  readonly label: string;
  readonly type: "text" | "email" | "tel" | "password" | "number" | "date" | "checkbox";
  readonly required: boolean;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly min?: string;
  readonly max?: string;
  /** The step of a number; `any` for one that need not be whole. */
  readonly step?: string;
  /** The only values there are, each with what it is called. */
  readonly options?: readonly (readonly [value: string, name: string])[];
  readonly value?: Value | undefined;
  /** The field's form when another field holds a value. */
  readonly follows?: { readonly on: string; readonly as: (value: string) => Field };
}

/** The entered texts by path; an empty text clears the field. */
export type Entries = ReadonlyMap<string, Value>;

/**
 * A form. The browser checks what it can, the service everything: what it refuses stands beside the field, or below.
 * `onSubmit` answers what to say when it is done.
 */
export function form(
  title: string,
  fields: readonly Field[],
  submit: string,
  onSubmit: (entries: Entries) => Promise<string>,
): HTMLFormElement {
  const inputs = new Map(fields.map((field) => [field.path, inputOf(title, field)]));
  const notes = new Map(fields.map(({ path }) => [path, element("small", { className: "wrong", role: "alert" })]));
  const said = element("p", { role: "status" });
  const press = element("button", { type: "submit" }, submit);
  const labels = fields.map(({ path, label }) =>
    element("p", {}, element("label", { htmlFor: idOf(title, path) }, label), inputs.get(path)!, notes.get(path)!),
  );
  const made = element("form", { ariaLabel: title }, ...labels, press, said);

  for (const field of fields) {
    if (field.follows === undefined) continue;
    const { on, as } = field.follows;
    const leader = inputs.get(on);
    const follow = (value: Value | undefined) => {
      const next = inputOf(title, { ...as(leader?.value ?? ""), value });
      inputs.get(field.path)?.replaceWith(next);
      inputs.set(field.path, next);
    };
    leader?.addEventListener("change", () => follow(undefined));
    follow(field.value);
  }

  made.addEventListener("submit", async (submitted) => {
    submitted.preventDefault();
    press.disabled = true;
    for (const note of notes.values()) note.textContent = "";
    try {
      const entries = new Map(fields.map((field) => [field.path, entryOf(field, inputs.get(field.path)!)]));
      say(await onSubmit(entries), "done");
    } catch (error) {
      if (hasEnded(error)) throw error;
      say(explain(error), "wrong");
    } finally {
      press.disabled = false;
    }
  });
  return made;

  function say(text: string, className: string): void {
    Object.assign(said, { textContent: text, className });
  }

  // A field's error stands beside the field; the others are returned.
  function explain(error: unknown): string {
    const failure = ConnectError.from(error);
    const wrong = failure.findDetails(BadRequestSchema).flatMap(({ fieldViolations }) => fieldViolations);
    const elsewhere = wrong.filter(({ field, description }) => {
      const note = notes.get(field);
      if (note !== undefined) note.textContent = description;
      return note === undefined;
    });
    return wrong.length > 0 && elsewhere.length === 0 ? "Please look at what is marked." : failure.rawMessage;
  }
}

// The session; nothing that is entered would help.
function hasEnded(error: unknown): boolean {
  return ConnectError.from(error).code === Code.Unauthenticated && session.read() !== undefined;
}

function idOf(title: string, path: string): string {
  return `${title} ${path}`.toLowerCase().replaceAll(" ", "-");
}

function inputOf(title: string, field: Field): HTMLInputElement | HTMLSelectElement {
  const { options, required, value } = field;
  const id = idOf(title, field.path);
  if (options !== undefined) {
    const choices = options.map(([key, name]) => element("option", { value: key, selected: key === value }, name));
    return element("select", { id, required }, element("option", { value: "" }, ""), ...choices);
  }
  const { type, minLength, maxLength, pattern, min, max, step } = field;
  const input = element("input", { id, type, required: required && type !== "checkbox" });
  const given = { minLength, maxLength, min, max, step };
  for (const [name, limit] of Object.entries(given)) if (limit !== undefined) Object.assign(input, { [name]: limit });
  if (type === "checkbox") input.checked = value === true;
  else if (value !== undefined) input.value = String(value);
  if (pattern !== undefined) requirePattern(input, new RegExp(pattern, "u"));
  if (type === "password") input.autocomplete = "current-password";
  return input;
}

// Not by the attribute of HTML, which reads an expression under the flag `v` and knows fewer of them.
function requirePattern(input: HTMLInputElement, pattern: RegExp): void {
  const check = () => {
    const isKept = input.value.trim() === "" || pattern.test(input.value.trim());
    input.setCustomValidity(isKept ? "" : "Please match the requested format.");
  };
  input.addEventListener("input", check);
  check();
}

function entryOf({ type }: Field, input: HTMLInputElement | HTMLSelectElement): Value {
  if (input instanceof HTMLInputElement && type === "checkbox") return input.checked;
  if (type === "number" && input.value !== "") return Number(input.value);
  return type === "password" ? input.value : input.value.trim();
}
