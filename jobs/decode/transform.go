package decode

import (
	"bytes"
	"net/netip"
	"time"

	"github.com/facesoft/lapse/config"
)

// appendDerived returns how a column's derivation is written. What cannot be read
// as what the derivation wants becomes empty: the value itself never passes.
func appendDerived(of config.Derivation) func(*Decoder, *column, time.Time) bool {
	switch of {
	case config.DeriveNetwork:
		return appendNetwork
	case config.DeriveCountry:
		return appendCountry
	case config.DeriveBareURL:
		return appendBareURL
	case config.DerivePseudonym:
		return appendPseudonym
	case config.DeriveRandom:
		return appendRandom
	}
	return agentAppender(of)
}

func appendNothing(_ *Decoder, c *column, _ time.Time) bool {
	c.to.AppendDefault()
	return true
}

// Lengths of the networks that addresses are cut to: the shortest that providers
// commonly give to one site.
const (
	networkBits4 = 24
	networkBits6 = 48
)

// address reads the column's value as an address.
func (c *column) address(d *Decoder) (netip.Addr, bool) {
	f := c.value(d)
	if f.kind != text {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(view(d.fields.text(f)))
	return a.Unmap().WithZone(""), err == nil
}

func appendNetwork(d *Decoder, c *column, _ time.Time) bool {
	a, ok := c.address(d)
	if !ok {
		return appendNothing(d, c, time.Time{})
	}
	bits := networkBits6
	if a.Is4() {
		bits = networkBits4
	}
	network, err := a.Prefix(bits)
	if err != nil {
		return appendNothing(d, c, time.Time{})
	}
	d.scratch = network.Addr().AppendTo(d.scratch[:0])
	c.to.AppendString(d.scratch)
	return true
}

func appendCountry(d *Decoder, c *column, _ time.Time) bool {
	a, ok := c.address(d)
	if !ok {
		return appendNothing(d, c, time.Time{})
	}
	c.to.AppendString([]byte(d.resources.Country(a)))
	return true
}

// appendBareURL writes a URL without what may follow its path, and without a user
// name and password in it.
func appendBareURL(d *Decoder, c *column, _ time.Time) bool {
	f := c.value(d)
	if f.kind != text {
		return appendNothing(d, c, time.Time{})
	}
	url := d.fields.text(f)
	for _, c := range []byte{'?', '#'} {
		if i := bytes.IndexByte(url, c); i >= 0 {
			url = url[:i]
		}
	}
	if i := bytes.Index(url, []byte("//")); i >= 0 {
		authority := url[i+2:]
		if end := bytes.IndexByte(authority, '/'); end >= 0 {
			authority = authority[:end]
		}
		if at := bytes.LastIndexByte(authority, '@'); at >= 0 {
			d.scratch = append(append(d.scratch[:0], url[:i+2]...), url[i+2+at+1:]...)
			url = d.scratch
		}
	}
	c.to.AppendString(url)
	return true
}

func appendPseudonym(d *Decoder, c *column, at time.Time) bool {
	f := c.value(d)
	if f.kind == absent {
		return appendNothing(d, c, at)
	}
	value := d.fields.text(f)
	if len(value) == 0 {
		return appendNothing(d, c, at)
	}
	p, err := d.pseudonyms.of(value, at)
	if err != nil {
		d.fail(err)
		return appendNothing(d, c, at)
	}
	c.to.AppendString(p[:])
	return true
}
