package decode

import (
	"time"

	"github.com/mileusna/useragent"

	"github.com/facesoft/lapse/config"
)

// agent is what is kept of a user agent.
type agent struct{ browser, version, os, device string }

// agents remembers parsed user agents, for a few are most of the traffic.
type agents map[string]agent

// maxAgents bounds the memory that senders of ever new user agents can take up.
const maxAgents = 4096

func (m agents) parse(s []byte) agent {
	if a, ok := m[string(s)]; ok {
		return a
	}
	u := useragent.Parse(string(s))
	a := agent{browser: u.Name, version: u.Version, os: u.OS}
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
	if len(m) >= maxAgents {
		clear(m)
	}
	m[string(s)] = a
	return a
}

func agentAppender(of config.Derivation) func(*Decoder, *column, time.Time) bool {
	return func(d *Decoder, c *column, _ time.Time) bool {
		f := c.value(d)
		if f.kind != text {
			c.to.AppendDefault()
			return true
		}
		a := d.agents.parse(d.fields.text(f))
		switch of {
		case config.DeriveBrowser:
			c.to.AppendString([]byte(a.browser))
		case config.DeriveBrowserVer:
			c.to.AppendString([]byte(a.version))
		case config.DeriveOS:
			c.to.AppendString([]byte(a.os))
		case config.DeriveDevice:
			c.to.AppendString([]byte(a.device))
		}
		return true
	}
}
