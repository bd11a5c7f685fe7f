// The official client: prints what a user of it sees.
import OpenAI from "openai";

// PLAIN is the name by which the model is asked where no effort is; TOKENS, if given, a limit.
const [baseURL, model, plain, question, tokens] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey: "none", maxRetries: 0 });
const messages = [{ role: "user", content: question }];
const most = tokens ? { max_tokens: Number(tokens) } : {};
const greedy = tokens ? { ...most, temperature: 0 } : {};
const mostOutput = tokens ? { max_output_tokens: Number(tokens) } : {};
const smallest = tokens ? { ponder: { knobs: { n: 2 } } } : {};
const refused = (error) => ({ refused: error.code });
const schema = {
  type: "object",
  properties: { n: { type: "integer" } },
  required: ["n"],
  additionalProperties: false,
};
const told = {};

told.models = (await client.models.list()).data.map((one) => one.id);

const stream = await client.chat.completions.create({
  model: `${model}:low`,
  messages,
  ...most,
  ...smallest,
  stream: true,
  stream_options: { include_usage: true },
});
told.stream = { thinking: "", answer: "", usage: null };
for await (const chunk of stream) {
  const delta = chunk.choices[0]?.delta ?? {};
  told.stream.thinking += delta.reasoning ?? "";
  told.stream.answer += delta.content ?? "";
  told.stream.usage = chunk.usage ?? told.stream.usage;
}

told.whole = (
  await client.chat.completions.create({ model: plain, messages, ...greedy })
).choices[0].message.content;

told.parsed = await client.chat.completions
  .parse({
    model: plain,
    messages,
    ...greedy,
    response_format: { type: "json_schema", json_schema: { name: "n", strict: true, schema } },
  })
  .then((parsed) => parsed.choices[0].message.parsed, refused);

const called = [];
const runner = client.chat.completions.runTools({
  model: plain,
  ...greedy,
  messages: [{ role: "user", content: "How is the weather in Paris?" }],
  tools: [
    {
      type: "function",
      function: {
        name: "get_weather",
        description: "Weather of a city.",
        parameters: { type: "object", properties: { city: { type: "string" } } },
        parse: JSON.parse,
        function: (given) => (called.push(given), "21 degrees"),
      },
    },
  ],
});
told.tools = await runner.finalContent().then((answer) => ({ called, answer }), refused);

const response = await client.responses.create({
  model: plain,
  input: question,
  ...mostOutput,
  ...(tokens ? { temperature: 0 } : {}),
});
told.response = { status: response.status, text: response.output_text };
told.again = (await client.responses.retrieve(response.id)).output_text;

const events = await client.responses.create({
  model: `${model}:low`,
  input: question,
  ...mostOutput,
  ...smallest,
  reasoning: { summary: "auto" },
  stream: true,
});
told.events = { types: [], thinking: "", answer: "" };
for await (const event of events) {
  told.events.types.push(event.type);
  if (event.type === "response.reasoning_summary_text.delta") told.events.thinking += event.delta;
  if (event.type === "response.output_text.delta") told.events.answer += event.delta;
}

try {
  await client.chat.completions.create({ model: "nobody", messages });
} catch (error) {
  told.error = { kind: error.constructor.name, status: error.status, code: error.code };
}
console.log(JSON.stringify(told));
