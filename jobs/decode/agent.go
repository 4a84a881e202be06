package decode

import (
	"strings"
	"time"

	"github.com/mileusna/useragent"

	"github.com/facesoft/lapse/config"
)

// agent is what is kept of a user agent.
type agent struct{ browser, version, os, device, reduced string }

// agents remembers parsed user agents, for a few are most of the traffic. Several
// columns of a record are made from the same one.
type agents struct {
	parsed map[string]*agent
	raw    *byte // of the last one in the record in hand; nil: it had none so far
	last   *agent
}

func newAgents() agents { return agents{parsed: map[string]*agent{}} }

// What is remembered is bounded, whatever senders make up.
const (
	maxAgents      = 4096
	maxAgentLength = 1024
)

func (m *agents) parse(s []byte) *agent {
	s = s[:min(len(s), maxAgentLength)] // the parser takes much longer for long ones
	if a, ok := m.parsed[string(s)]; ok {
		return a
	}
	u := useragent.Parse(string(s))
	a := &agent{browser: u.Name, version: u.Version, os: u.OS}
	switch {
	case u.Bot:
		a.device = "bot"
	case u.Tablet:
		a.device = "tablet"
	case u.Mobile:
		a.device = "mobile"
	case u.Desktop:
		a.device = "desktop"
	}
	a.reduced = a.reduce()
	if len(m.parsed) >= maxAgents {
		clear(m.parsed)
	}
	m.parsed[string(s)] = a
	return a
}

// reduce writes what tells hardly anybody apart: "Chrome 120, Windows, desktop".
func (a *agent) reduce() string {
	major, _, _ := strings.Cut(a.version, ".")
	var parts []string
	for _, part := range []string{strings.TrimSpace(a.browser + " " + major), a.os, a.device} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, ", ")
}

func agentAppender(of config.Derivation) func(*Decoder, *column, time.Time) bool {
	return func(d *Decoder, c *column, _ time.Time) bool {
		f := c.value(d)
		if f.kind != text || len(f.raw) == 0 {
			c.to.AppendDefault()
			return true
		}
		if m := &d.agents; m.raw != &f.raw[0] {
			m.last, m.raw = m.parse(d.fields.text(f)), &f.raw[0]
		}
		a := d.agents.last
		value := a.device
		switch of {
		case config.DeriveBrowser:
			value = a.browser
		case config.DeriveBrowserVer:
			value = a.version
		case config.DeriveOS:
			value = a.os
		case config.DeriveAgent:
			value = a.reduced
		}
		d.scratch = append(d.scratch[:0], value...)
		c.to.AppendString(d.scratch)
		return true
	}
}
