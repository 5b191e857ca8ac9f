// Node's http and https servers with the paths of tests/support/servers.py; argument: the file of its configuration.

import { createHash } from "node:crypto";
import { createReadStream, readFileSync, statSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import path from "node:path";
import { pipeline } from "node:stream";

const config = JSON.parse(readFileSync(process.argv[2], "utf-8"));
const tls = { cert: readFileSync(config.certificate), key: readFileSync(config.key) };

function answer(response, status, headers, content = "") {
  response.writeHead(status, { ...headers, "Content-Length": Buffer.byteLength(content) });
  response.end(content);
}

function sendDocument(request, response, name, chunked) {
  const file = path.join(config.documents, name);
  const { size } = statSync(file);
  const etag = `"${name}-${size}"`;
  if (request.headers["if-none-match"] === etag) {
    response.writeHead(304, { ETag: etag });
    response.end();
    return;
  }
  response.writeHead(200, chunked ? { ETag: etag } : { ETag: etag, "Content-Length": size });
  if (request.method === "HEAD") {
    response.end();
    return;
  }
  pipeline(createReadStream(file), response, () => {});
}

function receiveBody(request, response, limit) {
  const digest = createHash("sha256");
  let received = 0;
  request.on("data", (piece) => {
    received += piece.length;
    if (received > limit) {
      request.removeAllListeners("data");
      request.removeAllListeners("end");
      // The rest is read and dropped, so that no reset overtakes the answer.
      request.resume();
      answer(response, 413, { Connection: "close" });
      return;
    }
    digest.update(piece);
  });
  request.on("end", () => answer(response, 201, {}, digest.digest("hex")));
}

function handle(request, response) {
  const [, area, name] = request.url.split("/");
  if (area === "docs" || area === "chunked") {
    sendDocument(request, response, name, area === "chunked");
  } else if (area === "status") {
    response.writeHead(Number(name));
    response.end();
  } else if (area === "upload" || area === "small") {
    receiveBody(request, response, area === "small" ? config.smallLimit : Infinity);
  } else {
    answer(response, 404, {});
  }
}

function handleExpectation(request, response) {
  const tooLarge = Number(request.headers["content-length"] ?? 0) > config.smallLimit;
  if (request.url.startsWith("/small/") && tooLarge) {
    answer(response, 413, { Connection: "close" });
  } else {
    response.writeContinue();
    handle(request, response);
  }
}

for (const { variant, transport, address } of config.listeners) {
  const options = { keepAliveTimeout: variant === "idle" ? 100 : config.patience * 1000 };
  const server =
    transport === "tls" ? https.createServer({ ...tls, ...options }) : http.createServer(options);
  if (variant === "few") {
    server.maxRequestsPerSocket = config.few;
  }
  server.on("request", handle);
  server.on("checkContinue", handleExpectation);
  if (typeof address === "string") {
    server.listen(address);
  } else {
    server.listen(address[1], address[0]);
  }
}
