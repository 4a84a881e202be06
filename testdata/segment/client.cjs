// Sends events to the collector whose address stands in the arguments, with the
// official client as it is, and prints each event that the client calls delivered.
const { Analytics } = require('@segment/analytics-node')

const [host, writeKey, count] = process.argv.slice(2)
const analytics = new Analytics({ host, writeKey, flushAt: 20, flushInterval: 50, maxRetries: 0 })
analytics.on('error', (e) => { throw new Error(JSON.stringify(e)) })

const context = (i) => ({
  ip: `198.51.100.${i % 250}`,
  locale: 'en-GB',
  timezone: 'Europe/London',
  page: { url: `https://example.org/r\u00e9ports/${i}?q="a b"`, title: `Line\nbreak \u2028 and \u{1F600} ${i}` },
  userAgent: 'Mozilla/5.0 (X11; Linux x86_64; rv:125.0) Gecko/20100101 Firefox/125.0',
  consent: { categoryPreferences: { necessary: true, functional: true, analytics: true, performance: true, marketing: true, advertising: true, targeting: true } },
})

const send = (call, message) => new Promise((resolve, reject) => {
  analytics[call](message, (err, ctx) => {
    if (err) return reject(err)
    console.log(JSON.stringify(ctx.event))
    resolve()
  })
})

const all = []
for (let i = 0; i < Number(count); i++) {
  const who = { userId: `user-${i}`, anonymousId: `browser-${i}`, context: context(i) }
  const at = { timestamp: new Date(Date.now() - i * 60000) }
  switch (i % 6) {
    case 0: all.push(send('track', { ...who, ...at, event: `Report Opened ${i}`, properties: { duration_ms: i, scroll_depth: i % 100 } })); break
    case 1: all.push(send('page', { ...who, ...at, name: `Page ${i}`, properties: { url: `https://example.org/${i}` } })); break
    case 2: all.push(send('screen', { ...who, name: `Screen ${i}` })); break
    case 3: all.push(send('identify', { ...who, traits: { name: `N\u00e4me ${i}`, email: `user${i}@example.org`, plan: 'pro' } })); break
    case 4: all.push(send('group', { ...who, groupId: `organisation-${i}`, traits: { industry: 'health', employees: i } })); break
    case 5: all.push(send('alias', { userId: `user-${i}`, previousId: `browser-${i}` })); break
  }
}
Promise.all(all).then(() => analytics.closeAndFlush()).catch((e) => { console.error(e); process.exit(1) })
