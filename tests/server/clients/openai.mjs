// The official client: prints what a user of it sees.
import OpenAI from "openai";

const [baseURL, model] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey: "none", maxRetries: 0 });
const messages = [{ role: "user", content: "How many is six times seven?" }];
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

const parsed = await client.chat.completions.parse({
  model,
  messages,
  response_format: { type: "json_schema", json_schema: { name: "n", strict: true, schema } },
});
told.parsed = parsed.choices[0].message.parsed;

const called = [];
const runner = client.chat.completions.runTools({
  model,
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
told.tools = { called, answer: await runner.finalContent() };

const response = await client.responses.create({ model, input: messages[0].content });
told.response = { status: response.status, text: response.output_text };
told.again = (await client.responses.retrieve(response.id)).output_text;

const events = await client.responses.create({
  model: `${model}:low`,
  input: messages[0].content,
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
