package traffic

import "strconv"

// line is one telemetry event as it will stand in a file, with the places that
// retries and damage need to find again.
type line struct {
	bytes                    []byte
	timesFrom, timesTo       int    // the time fields with their commas
	sentAt, receivedAt       int    // the text of these two fields
	kind                     string // value of "type"
	sent, received, happened instant
	identified               *person // whose userId it carries, if any
	closes                   bool    // it deletes the account
}

// begin starts the line of a call in a session up to its times.
func (l *line) begin(kind, name string, message uuid) {
	*l = line{bytes: l.bytes[:0], kind: kind}
	b := append(l.bytes, '{')
	b = appendText(b, "type", kind)
	switch kind {
	case "track":
		b = appendText(b, "event", name)
	case "page", "screen":
		b = appendText(b, "name", name)
	}
	l.bytes = appendUUID(b, "messageId", message)
}

// identify adds who the event is about; who is nil while they are signed out.
func (l *line) identify(anonymous uuid, who *person) {
	l.bytes = appendUUID(l.bytes, "anonymousId", anonymous)
	if who != nil {
		l.bytes = appendText(l.bytes, "userId", who.user)
		l.identified = who
		who.named = true
	}
}

func (l *line) setTimes(t clocks) {
	l.sent, l.received, l.happened = t.sent, t.received, t.happened
	b := l.bytes
	l.timesFrom = len(b)
	if t.timestamp != 0 {
		b = appendTime(b, "timestamp", t.timestamp)
	}
	b = appendTime(b, "originalTimestamp", t.original)
	b = appendTime(b, "sentAt", t.sent)
	l.sentAt = len(b) - instantLength - len(`",`)
	b = appendTime(b, "receivedAt", t.received)
	l.receivedAt = len(b) - instantLength - len(`",`)
	l.timesTo, l.bytes = len(b), b
}

// setContext adds the session's context and, for browsers, the page. age is
// the visitor's age in years where a trait tells it, or 0.
func (l *line) setContext(s *session, age int) {
	b := append(l.bytes, s.context...)
	if age > 0 {
		b = appendAge(beginObject(b, "traits"), age, l.happened)
		b = endObject(b)
	}
	if !s.device.model.app && len(s.page.url) > 0 {
		b = appendPage(b, s, l.kind == "page")
	}
	l.bytes = endObject(b)
}

// appendAge tells an age as a number or as a birthday, on which the visitor
// turned that age in the year before the event.
func appendAge(b []byte, age int, at instant) []byte {
	if at%2 == 0 {
		return appendNumber(b, "age", age)
	}
	birthday := at.time().AddDate(-age, -3, 0)
	return appendText(b, "birthday", birthday.Format("2006-01-02"))
}

// appendPage adds the page; a track call does not repeat what the page call
// before it said.
func appendPage(b []byte, s *session, whole bool) []byte {
	p := &s.page
	b = beginObject(b, "page")
	b = appendBytes(b, "url", p.url)
	if !whole {
		return endObject(b)
	}
	b = appendBytes(b, "path", p.path)
	if len(p.referrer) > 0 {
		b = appendBytes(b, "referrer", p.referrer)
	}
	if len(p.search) > 0 {
		b = appendBytes(b, "search", p.search)
	}
	if !s.light {
		b = appendText(b, "title", p.title)
	}
	return endObject(b)
}

// appendContext begins the context object with what stays the same throughout a
// session, and leaves it open.
func appendContext(b []byte, s *session, agent string, release int) []byte {
	d, m := s.device, s.device.model
	b = beginObject(b, "context")
	b = appendText(b, "ip", d.address)
	b = appendText(b, "userAgent", agent)
	if s.person != nil {
		b = appendHome(b, s)
	} else {
		b = appendText(b, "locale", "en-GB")
	}
	b = appendDevice(b, s)
	if m.mobile {
		b = beginObject(b, "network")
		b = appendText(b, "carrier", d.carrier)
		b = appendBool(b, "wifi", d.wifi)
		b = endObject(appendBool(b, "cellular", !d.wifi))
	}
	if !s.light {
		b = appendSoftware(b, s, release)
	}
	return appendConsent(b, s.consent)
}

// appendConsent adds the consent object of the Segment specification.
func appendConsent(b []byte, c consent) []byte {
	b = beginObject(beginObject(b, "consent"), "categoryPreferences")
	b = appendBool(b, "necessary", true)
	b = appendBool(b, "analytics", c.analytics)
	b = appendBool(b, "functionality", c.functionality)
	b = appendBool(b, "targeting", c.targeting)
	return endObject(endObject(b))
}

// appendSoftware adds what only the full library tells.
func appendSoftware(b []byte, s *session, release int) []byte {
	m := s.device.model
	b = beginObject(b, "screen")
	b = appendNumber(b, "width", m.width)
	b = endObject(appendNumber(b, "height", m.height))
	library := "analytics.js"
	if m.app {
		library = "analytics-mobile"
		b = appendText(beginObject(b, "app"), "name", "Facesoft Platform")
		b = appendVersion(b, 4, release)
	}
	b = appendVersion(appendText(beginObject(b, "library"), "name", library), 2, release)
	if plugins := s.device.plugins; len(plugins) > 0 {
		b = appendStrings(b, "plugins", plugins)
	}
	return b
}

// appendVersion ends an object with its version.
func appendVersion(b []byte, major, minor int) []byte {
	b = strconv.AppendInt(append(appendKey(b, "version"), '"'), int64(major), 10)
	b = strconv.AppendInt(append(b, '.'), int64(minor), 10)
	return endObject(append(b, `.0",`...))
}

func appendHome(b []byte, s *session) []byte {
	p := s.person
	b = appendText(b, "locale", p.country.locale)
	b = appendText(beginObject(b, "location"), "country", p.country.code)
	if !s.light {
		b = appendText(b, "region", p.place.region)
		b = appendText(b, "city", p.place.city)
	}
	b = endObject(b)
	if !s.light {
		b = appendText(b, "timezone", p.country.timezone)
	}
	if s.signedIn && p.organisation != nil {
		b = appendText(b, "groupId", p.organisation.id)
	}
	return b
}

func appendDevice(b []byte, s *session) []byte {
	m := s.device.model
	b = beginObject(b, "device")
	if s.signedIn || s.person != nil && m.app {
		b = appendUUID(b, "id", s.device.id)
	}
	b = appendText(b, "type", m.kind)
	if m.mobile { // browsers do not tell
		b = appendText(b, "manufacturer", m.manufacturer)
		b = appendText(b, "model", m.name)
	}
	b = endObject(b)
	b = appendText(beginObject(b, "os"), "name", m.os)
	if !s.light {
		b = appendText(b, "version", s.device.osVersion)
	}
	return endObject(b)
}
