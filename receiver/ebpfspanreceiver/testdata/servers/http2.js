// Node's HTTP/2 server, and a client that has four streams open at once.
//   node http2.js server PORT
//   node http2.js client PORT N
const http2 = require('http2')

const [what, port, n] = process.argv.slice(2)

if (what === 'server') {
  http2.createServer().on('stream', (stream, headers) => {
    const number = Number(headers[':path'].split('=')[1])
    setTimeout(() => {
      stream.respond({ ':status': number % 10 === 0 ? 404 : 200, 'content-type': 'text/plain' })
      stream.end('x'.repeat(number % 5 * 300))
    }, number % 7)
  }).listen(Number(port), '127.0.0.1')
} else {
  const session = http2.connect('http://127.0.0.1:' + port)
  let next = 0
  let open = 0
  const ask = () => {
    if (next < Number(n)) {
      open++
      const stream = session.request({ ':path': '/item?number=' + next++ })
      stream.on('close', () => { open--; ask() })
      stream.resume().end()
    } else if (open === 0) {
      session.close()
    }
  }
  for (let i = 0; i < 4; i++) ask()
}
