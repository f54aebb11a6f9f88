// Runs aedes for one user on a free port. Arguments: the folder of its package, user, password.
import { readFileSync } from 'node:fs'
import net from 'node:net'

const [folder, user, password] = process.argv.slice(-3)
const { version } = JSON.parse(readFileSync(`${folder}/package.json`))
const { Aedes } = await import(`${folder}/aedes.js`)

const broker = await Aedes.createBroker({
  authenticate (client, name, given, done) {
    const known = name === user && given?.toString() === password
    // 4 is "bad user name or password" of MQTT 3.1.1.
    done(known ? null : Object.assign(new Error('unknown'), { returnCode: 4 }), known)
  }
})
const server = net.createServer(broker.handle)
server.listen(0, '127.0.0.1', () => {
  console.log(`ready: aedes ${version} port ${server.address().port}`)
})
