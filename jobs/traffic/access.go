package traffic

import (
	"bytes"
	"math/rand/v2"
	"strconv"
)

// access writes the web server's log in combined format: a visitor at a time,
// each with a few requests.
type access struct {
	config Config
	r      *rand.Rand
	dirt   *rand.Rand
	start  instant
	times  *timeline
	people *population
	agents map[string]struct{}
	out    *monthly

	person *person // who is being served; nil for a crawler
	device *device
	agent  string // as it stands in the log, quotes escaped
	page   page
	line   []byte
}

func newAccess(c Config, s seed, people *population, agents map[string]struct{}, out *monthly) *access {
	return &access{
		config: c, r: s.source(accessStream), dirt: s.source(accessDirt),
		start: instantOf(c.Start), times: newTimeline(c, s.source(accessTimes), c.AccessLines),
		people: people, agents: agents, out: out,
	}
}

func (a *access) run(made func() error) error {
	for range a.config.AccessLines {
		// The log tells times in whole seconds.
		at := a.times.next() / second * second
		if err := a.serve(at); err != nil {
			return err
		}
		if err := made(); err != nil {
			return err
		}
	}
	return nil
}

// serve writes the line of the request that arrives at the given time.
func (a *access) serve(at instant) error {
	what := clean
	switch draw := a.dirt.Float64(); {
	case draw < a.config.Dirt.BrokenAccess:
		what = broken
	case draw-a.config.Dirt.BrokenAccess < a.config.Dirt.BotAccess:
		what = bot
	}
	if what == bot || a.device == nil || a.person == nil || at >= a.person.left || a.r.IntN(6) == 0 {
		a.admit(what, at)
	}
	status := a.request(at)
	var kind Damage
	if what == broken {
		kind = a.damage(status)
	}
	a.line = append(a.line, '\n')
	file, err := a.out.write(at, a.line)
	switch {
	case err != nil:
		return err
	case what == broken:
		file.addBroken(at, len(a.line), kind)
	default:
		file.addRecord(at, len(a.line), "request", what)
	}
	return nil
}

// oddAgents are user agents with quotes in them.
var oddAgents = []string{
	`Mozilla/5.0 (compatible; "Intranet" Browser/2.1)`,
	`Mozilla/4.0 (compatible; MSIE 7.0; "Corporate Proxy 3")`,
}

// admit lets in the next visitor.
func (a *access) admit(what fate, at instant) {
	a.person, a.device = nil, nil
	a.page.leave()
	if what == bot {
		a.device = &a.people.bots[a.r.IntN(len(a.people.bots))]
	} else {
		a.person = a.people.visitor(a.r, at)
		a.device = &a.person.devices[a.r.IntN(len(a.person.devices))]
	}
	a.device.used = true
	agent := a.device.userAgent(int((at - a.start) / (30 * day)))
	if a.person != nil && a.r.IntN(50) == 0 {
		agent = pick(a.r, oddAgents)
	}
	a.agents[agent] = struct{}{}
	a.agent = string(bytes.ReplaceAll([]byte(agent), []byte(`"`), []byte(`\"`)))
	if a.person != nil && a.r.IntN(200) == 0 {
		a.agent = "-"
	}
}

// assets are what a page loads besides itself.
var assets = []string{
	"/static/app.4f3a91.js", "/static/app.b81c07.css", "/static/logo.svg", "/static/fonts/inter.woff2",
	"/favicon.ico", "/robots.txt", "/api/v1/projects?limit=20", "/api/v1/session",
}

// request writes one well-formed line and returns where its status begins.
func (a *access) request(at instant) int {
	signedIn := a.person != nil && at >= a.person.joined && a.r.IntN(3) > 0
	b := append(a.line[:0], a.device.address...)
	b = append(b, " - "...)
	if signedIn && a.r.IntN(4) == 0 {
		a.person.named = true
		b = append(b, a.person.user...)
	} else {
		b = append(b, '-')
	}
	b = at.time().AppendFormat(b, " [02/Jan/2006:15:04:05 -0700] \"")
	method, target := "GET ", ""
	switch draw := a.r.IntN(10); {
	case draw < 4:
		a.page.open(a.r, signedIn, a.person)
	case draw < 5 && signedIn:
		method, target = "POST ", "/api/v1/images"
	default:
		target = pick(a.r, assets)
	}
	b = append(b, method...)
	if target != "" {
		b = append(b, target...)
	} else {
		b = append(append(b, a.page.path...), a.page.search...)
	}
	b = append(b, ` HTTP/1.1" `...)
	status := len(b)
	b = appendStatus(b, a.r)
	b = a.appendReferrer(append(b, ` "`...), target != "")
	b = append(append(b, `" "`...), a.agent...)
	a.line = append(b, '"')
	return status
}

// appendStatus appends a status and the size of the body, which some answers
// do not have.
func appendStatus(b []byte, r *rand.Rand) []byte {
	code, size := 200, between(r, 180, 60_000)
	switch draw := r.IntN(200); {
	case draw < 14:
		code, size = 304, 0
	case draw < 18:
		code = 301
	case draw < 20:
		code = 302
	case draw < 27:
		code = 404
	case draw < 29:
		code = 403
	case draw < 31:
		code = 500
	}
	b = append(strconv.AppendInt(b, int64(code), 10), ' ')
	if size == 0 {
		return append(b, '-')
	}
	return strconv.AppendInt(b, int64(size), 10)
}

// appendReferrer appends the page that an asset belongs to, or the page before
// this one, or "-".
func (a *access) appendReferrer(b []byte, asset bool) []byte {
	from := a.page.referrer
	if asset {
		from = a.page.url
	}
	switch {
	case a.r.IntN(60) == 0:
		return append(b, `https://www.example.com/search?q=\"face api\"`...)
	case len(from) == 0:
		return append(b, '-')
	default:
		return append(b, from...)
	}
}

var accessDamages = []Damage{Truncated, Truncated, Garbage, BadTime, BadStatus, UnclosedQuote}

// damage breaks the line, whose status begins at the given place.
func (a *access) damage(status int) Damage {
	kind := pick(a.dirt, accessDamages)
	switch kind {
	case Truncated:
		a.line = a.line[:between(a.dirt, 5, status-2)]
	case Garbage:
		a.line = appendGarbage(a.line[:0], a.dirt)
	case BadTime:
		from := bytes.IndexByte(a.line, '[') + 1
		a.line = splice(a.line, from, bytes.IndexByte(a.line, ']'), "99/Foo/2024:25:61:00 +0000")
	case BadStatus:
		a.line = splice(a.line, status, status+3, "abc")
	case UnclosedQuote:
		a.line = splice(a.line, status-2, status-1, "")
	}
	return kind
}
