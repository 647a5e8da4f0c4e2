// A Node.js service of gRPC's (grpc-js) that calls the next one by gRPC. What a request does is its SHAPE:
//
//   one       one call
//   parallel  three calls at once, joined
//
// All calls share a connection, as they do unless a program asks for more. The token goes along as the method's name.
'use strict';

const grpc = require('@grpc/grpc-js');

const shape = process.env.SHAPE || 'one';
const PREFIX = '/chain.Chain/truth=';

const bytes = (message) => message;
const client = new grpc.Client(process.env.NEXT, grpc.credentials.createInsecure());

function call(path, question) {
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(path, bytes, bytes, question, (error, answer) => {
      if (error) {
        reject(error);
      } else if (!answer.includes(path.slice(PREFIX.length))) {
        reject(new Error(`${path} was answered with ${answer}`));
      } else {
        resolve(answer);
      }
    });
  });
}

const shapes = {
  one: call,
  async parallel(path, question) {
    const answers = await Promise.all([1, 2, 3].map(() => call(path, question)));
    return answers[0];
  },
};

// Each token is a method, so the server is asked for whatever begins like one.
const server = new grpc.Server();
server.handlers.get = (path) => path.startsWith(PREFIX) && {
  type: 'unary',
  path,
  serialize: bytes,
  deserialize: bytes,
  func(request, respond) {
    shapes[shape](path, request.request).then(
      (answer) => respond(null, answer),
      (error) => {
        console.error(error);
        respond({ code: grpc.status.INTERNAL, details: error.message });
      });
  },
};
server.bindAsync(process.env.LISTEN, grpc.ServerCredentials.createInsecure(), (error) => {
  if (error) {
    throw error;
  }
});
