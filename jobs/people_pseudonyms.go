package jobs

import (
	"errors"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/jobs/decode"
	"github.com/facesoft/lapse/sinks"
)

// Pseudonyms finds what stands for identifiers where a dataset holds pseudonyms: one for
// each period whose key there is. Where the key is destroyed nobody finds them again.
type Pseudonyms struct {
	columns map[string]bool // that hold pseudonyms
	keys    []sinks.PseudonymKey
	made    map[sinks.Identifier]bool
}

// NewPseudonyms returns the pseudonyms under all keys of a keyring.
func NewPseudonyms(p *config.Policy, keyring sinks.Keyring) (*Pseudonyms, error) {
	s := &Pseudonyms{columns: map[string]bool{}, made: map[sinks.Identifier]bool{}}
	for i := range p.Datasets {
		for _, c := range p.Datasets[i].Columns {
			if c.Derive == config.DerivePseudonym {
				s.columns[c.Name] = true
			}
		}
	}
	if len(s.columns) == 0 {
		return s, nil
	}
	periods, err := keyring.Periods()
	for _, period := range periods {
		key, failed := keyring.Key(period)
		if errors.Is(failed, sinks.ErrDestroyed) {
			continue
		}
		if failed != nil {
			return nil, failed
		}
		s.keys = append(s.keys, key)
	}
	return s, err
}

// Add adds to each person's identifiers what stands for them.
func (s *Pseudonyms) Add(persons []sinks.Person) []sinks.Person {
	with := make([]sinks.Person, len(persons))
	for n, p := range persons {
		with[n] = p
		with[n].Identifiers = nil
		known := map[sinks.Identifier]bool{}
		take := func(i sinks.Identifier) {
			if !known[i] {
				known[i] = true
				with[n].Identifiers = append(with[n].Identifiers, i)
			}
		}
		for _, i := range p.Identifiers {
			take(i)
		}
		for _, i := range p.Identifiers {
			if !s.columns[i.Column] || s.made[i] {
				continue
			}
			for _, key := range s.keys {
				made := sinks.Identifier{Column: i.Column, Text: decode.Pseudonym(key, i.Text)}
				s.made[made] = true
				take(made)
			}
		}
	}
	return with
}

// Made reports whether an identifier is a pseudonym that was found.
func (s *Pseudonyms) Made(i sinks.Identifier) bool { return s.made[i] }
