// The service that Restate calls: its handler does the POST inside ctx.run.
// Usage: node restate.mjs '{"port":9080,"origin":"http://127.0.0.1:9000"}'
import http2 from "node:http2";
import * as restate from "@restatedev/restate-sdk";
import { say } from "./closed_loop.mjs";
import { webhooks } from "./webhook.mjs";

// The package wants Node 22 for this function alone; Debian 12 has 18.
Promise.withResolvers ??= () => {
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  return made;
};

const options = JSON.parse(process.argv[2]);
const post = webhooks(options.origin);
const hook = restate.service({
  name: "Hook",
  handlers: {
    send: async (ctx, input) => {
      await ctx.run("post", () => post(`/hook/${input.n}`));
    },
  },
});
http2.createServer(restate.createEndpointHandler({ services: [hook] }))
  .listen(options.port, "127.0.0.1", () => say({ event: "ready" }));
