// A real OpenID Connect provider (the npm package oidc-provider) for tests: listens on a free port of this machine, says
// where on its first line of output, and ends with its standard input. A line `rotate` there gives it a new signing key.
//
// node server.mjs <folder with node_modules> <JSON: {clients, accounts, claims_in_id_token}>
import { createHash, generateKeyPairSync, randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const [folder, given] = process.argv.slice(2);
const { clients, accounts, claims_in_id_token } = JSON.parse(given);
const entry = createRequire(join(folder, "package.json")).resolve("oidc-provider");
const { default: Provider } = await import(pathToFileURL(entry));

const secret = randomBytes(32).toString("hex");
let keys = [];
let current;
let answer;

function addKey() {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const jwk = privateKey.export({ format: "jwk" });
  const kid = createHash("sha256").update(jwk.n).digest("hex").slice(0, 12);
  keys = [{ ...jwk, kid, use: "sig", alg: "RS256" }]; // the old one is gone, as after a rotation that nobody announced
  return kid;
}

function build(issuer) {
  const provider = new Provider(issuer, {
    clients,
    jwks: { keys },
    cookies: { keys: [secret] },
    conformIdTokenClaims: !claims_in_id_token,
    claims: {
      openid: ["sub"],
      profile: ["name", "preferred_username", "groups", "realm_access"],
      email: ["email", "email_verified"],
    },
    features: { devInteractions: { enabled: false }, rpInitiatedLogout: { enabled: true } },
    interactions: { url: (_ctx, interaction) => `/person/${interaction.uid}` },
    pkce: { required: () => true },
    ttl: { AccessToken: 600, AuthorizationCode: 60, IdToken: 600, Interaction: 600, Session: 3600, Grant: 3600 },
    findAccount: (_ctx, id) =>
      accounts[id] && { accountId: id, claims: () => ({ ...accounts[id], sub: id }) },
    // The one who runs this provider has agreed for everybody: nobody is asked what may be told.
    async loadExistingGrant(ctx) {
      const { clientId } = ctx.oidc.client;
      const { accountId } = ctx.oidc.session;
      const before = ctx.oidc.session.grantIdFor(clientId);
      const grant = (before && (await provider.Grant.find(before))) || new provider.Grant({ clientId, accountId });
      grant.addOIDCScope(ctx.oidc.params.scope);
      await grant.save();
      return grant;
    },
  });
  return provider;
}

async function ask(request, response) {
  const interaction = await current.interactionDetails(request, response);
  if (request.method === "POST") {
    let body = "";
    for await (const part of request) body += part;
    const account = new URLSearchParams(body).get("account");
    const result = accounts[account]
      ? { login: { accountId: account } }
      : { error: "access_denied", error_description: "<script>alert(1)</script> nobody" };
    return current.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
  }
  const buttons = Object.keys(accounts)
    .map((name) => `<button name="account" value="${name}">${name}</button>`)
    .join("\n");
  response.setHeader("content-type", "text/html; charset=utf-8");
  response.end(
    `<!doctype html><html lang="en"><title>Sign in to ${interaction.params.client_id}</title>` +
      `<h1>Who are you?</h1><form method="post">${buttons}<button name="account" value="">Nobody</button></form></html>`,
  );
}

const server = createServer((request, response) => {
  if (!request.url.startsWith("/person/")) return answer(request, response);
  ask(request, response).catch((error) => {
    response.statusCode = 500;
    response.end(String(error));
  });
});

server.listen(0, "127.0.0.1", () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const renew = () => {
    const kid = addKey();
    current = build(issuer); // what was stored (codes, sessions) is kept by the package beside the provider
    answer = current.callback();
    return kid;
  };
  console.log(JSON.stringify({ issuer, kid: renew() }));
  const lines = createInterface({ input: process.stdin });
  lines.on("line", (line) => line === "rotate" && console.log(JSON.stringify({ kid: renew() })));
  lines.on("close", () => process.exit(0));
});
