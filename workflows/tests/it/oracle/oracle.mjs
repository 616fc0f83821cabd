// GitHub's own parsers: answers questions line by line, JSON in, JSON out. `node oracle.mjs FOLDER`, where the
// folder holds `node_modules` with @actions/expressions and @actions/workflow-parser.
import { register } from "node:module";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

// The packages import JSON without saying that it is JSON, which bundlers take and Node does not.
register("data:text/javascript," + encodeURIComponent(`
  import { readFile } from "node:fs/promises";
  import { fileURLToPath } from "node:url";
  export async function load(url, context, next) {
    if (!url.endsWith(".json")) return next(url, context);
    const text = await readFile(fileURLToPath(url), "utf8");
    return { format: "module", source: "export default " + text, shortCircuit: true };
  }`));
const from = path => import(pathToFileURL(`${process.argv[2]}/node_modules/@actions/${path}`));
const { Lexer, Parser, Evaluator, FeatureFlags, data } = await from("expressions/dist/index.js");
const { parseWorkflow, convertWorkflowTemplate, NoOperationTraceWriter } = await from("workflow-parser/dist/index.js");
const { TemplateContext, TemplateValidationErrors } = await from("workflow-parser/dist/templates/template-context.js");
const { getWorkflowSchema } = await from("workflow-parser/dist/workflows/workflow-schema.js");
const featureFlags = new FeatureFlags({ all: true });

const revive = (_key, value) => {
  if (value === null) return new data.Null();
  if (typeof value === "string") return new data.StringData(value);
  if (typeof value === "number") return new data.NumberData(value);
  if (typeof value === "boolean") return new data.BooleanData(value);
  if (Array.isArray(value)) return new data.Array(...value);
  return new data.Dictionary(...Object.entries(value).map(([key, value]) => ({ key, value })));
};
const plain = value => {
  switch (value.kind) {
    case data.Kind.Null: return null;
    case data.Kind.Number: return Number.isFinite(value.value) ? value.value : String(value.value);
    case data.Kind.Array: return value.values().map(plain);
    case data.Kind.Dictionary: return Object.fromEntries(value.pairs().map(({ key, value }) => [key, plain(value)]));
    default: return value.value;
  }
};
const kinds = ["String", "Array", "Object", "Boolean", "Number", "CaseSensitiveDictionary", "Null"];

const expression = ({ expr, contexts }) => {
  let stage = "lexing";
  try {
    const { tokens } = new Lexer(expr).lex();
    stage = "parsing";
    const tree = new Parser(tokens, Object.keys(contexts), []).parse();
    if (!tree) return { empty: true };
    stage = "evaluation";
    const value = new Evaluator(tree, JSON.parse(JSON.stringify(contexts), revive)).evaluate();
    return { kind: kinds[value.kind], value: plain(value), text: value.coerceString() };
  } catch (error) {
    return { error: stage, message: error.message, at: error.pos?.column };
  }
};

const workflow = async ({ text }) => {
  try {
    const errors = new TemplateValidationErrors();
    const context = new TemplateContext(errors, getWorkflowSchema(), new NoOperationTraceWriter());
    context.state.featureFlags = featureFlags;
    const parsed = parseWorkflow({ name: "w.yml", content: text }, context);
    if (parsed.value) await convertWorkflowTemplate(context, parsed.value, undefined, { errorPolicy: 1, featureFlags });
    return errors.getErrors().map(({ message, rawMessage, range }) => {
      // The message names the value, as GitHub's service does; the range, for editors, the expression within it.
      const named = /\(Line: (\d+), Col: (\d+)\)/.exec(message);
      const place = named ? [Number(named[1]), Number(named[2])] : [range?.start?.line ?? 0, range?.start?.column ?? 0];
      return [...place, rawMessage];
    });
  } catch (error) {
    return { thrown: error.message };
  }
};

for await (const line of createInterface({ input: process.stdin })) {
  const question = JSON.parse(line);
  const answer = "expr" in question ? expression(question) : await workflow(question);
  // Half a surrogate pair is no character to anyone but JavaScript.
  const text = JSON.stringify(answer).replace(/(?<!\\)((?:\\\\)*)\\ud[89a-f][0-9a-f]{2}/g, "$1\\ufffd");
  process.stdout.write(text + "\n");
}
