/**
 * From the card's JSON Schema to a typed form and back to arguments.
 *
 * Only declared fields are there and types are kept. What is checked here spares a round trip; the server checks again.
 */

export type Args = Record<string, string | number | boolean>;

export interface Field {
  readonly name: string;
  readonly kind: "text" | "whole" | "yes_no" | "choice";
  readonly description: string;
  readonly required: boolean;
  readonly value: string;
  readonly pattern?: string;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly choices?: readonly (string | number)[];
}

/** Why a value is refused; the sentence is in the catalogue, and `limit` fills it. */
export interface Wrong {
  readonly code: "missing" | "not_whole" | "too_small" | "too_big" | "too_long" | "pattern" | "choice";
  readonly limit?: string | number;
}

type Schema = Record<string, unknown>;

/** Return the fields of an object schema in its own order, filled with the current arguments. */
export function fields(schema: object, args: Readonly<Record<string, unknown>>): Field[] {
  const properties = record((schema as Schema)["properties"]);
  const required = list((schema as Schema)["required"]);
  return Object.entries(properties).map(([name, raw]) => {
    const rule = record(raw);
    const choices = Array.isArray(rule["enum"])
      ? rule["enum"].filter((one): one is string | number => typeof one === "string" || typeof one === "number")
      : null;
    const value = args[name];
    const field: Field = {
      name,
      kind: choices
        ? "choice"
        : rule["type"] === "integer"
          ? "whole"
          : rule["type"] === "boolean"
            ? "yes_no"
            : "text",
      description: typeof rule["description"] === "string" ? rule["description"] : "",
      required: required.includes(name),
      value: value === undefined || value === null ? "" : String(value),
      ...(typeof rule["pattern"] === "string" ? { pattern: rule["pattern"] } : {}),
      ...(typeof rule["maxLength"] === "number" ? { maxLength: rule["maxLength"] } : {}),
      ...(typeof rule["minimum"] === "number" ? { minimum: rule["minimum"] } : {}),
      ...(typeof rule["maximum"] === "number" ? { maximum: rule["maximum"] } : {}),
      ...(choices ? { choices } : {}),
    };
    return field;
  });
}

/** Return why `text` is no value of `field`, or null when it is one. An empty optional field is left out. */
export function wrong(field: Field, text: string): Wrong | null {
  if (text === "") return field.required ? { code: "missing" } : null;
  switch (field.kind) {
    case "whole": {
      if (!/^-?\d{1,15}$/.test(text.trim())) return { code: "not_whole" };
      const value = Number(text);
      if (field.minimum !== undefined && value < field.minimum) return { code: "too_small", limit: field.minimum };
      if (field.maximum !== undefined && value > field.maximum) return { code: "too_big", limit: field.maximum };
      return null;
    }
    case "choice":
      return field.choices?.some((one) => String(one) === text) ? null : { code: "choice" };
    case "yes_no":
      return text === "true" || text === "false" ? null : { code: "choice" };
    case "text":
      if (field.maxLength !== undefined && [...text].length > field.maxLength)
        return { code: "too_long", limit: field.maxLength };
      if (field.pattern !== undefined && !matches(field.pattern, text)) return { code: "pattern", limit: field.pattern };
      return null;
  }
}

/** Return the arguments as the server wants them: types kept, empty optional fields left out. */
export function collect(all: readonly Field[], typed: Readonly<Record<string, string>>): Args {
  const args: Args = {};
  for (const field of all) {
    const text = typed[field.name] ?? field.value;
    if (text === "") continue;
    args[field.name] =
      field.kind === "whole"
        ? Number(text)
        : field.kind === "yes_no"
          ? text === "true"
          : field.kind === "choice"
            ? (field.choices?.find((one) => String(one) === text) ?? text)
            : text;
  }
  return args;
}

/** Whether anything was changed against what the card proposes; an edit that changes nothing is no edit. */
export function changed(all: readonly Field[], typed: Readonly<Record<string, string>>): boolean {
  return all.some((field) => (typed[field.name] ?? field.value) !== field.value);
}

/** The catalogue's patterns are Python's and must match the whole; one that this browser cannot read is the server's to check. */
function matches(pattern: string, text: string): boolean {
  try {
    return new RegExp(`^(?:${pattern})$`, "u").test(text);
  } catch {
    return true;
  }
}

function record(value: unknown): Schema {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Schema) : {};
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}
