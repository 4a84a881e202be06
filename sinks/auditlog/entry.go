package auditlog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"time"

	"github.com/facesoft/lapse/sinks"
)

// MaxEntrySize is the size of the largest entry in bytes: in an entry bundle of
// tlog-tiles an entry stands behind its length in 16 bits.
const MaxEntrySize = 1<<16 - 1

var entryForm = objectOf(reflect.TypeFor[sinks.Entry]())

// Members of an entry that have meaning to the log itself.
var (
	memberAction    = entryForm.index("action")
	memberContinues = entryForm.index("continues")
	memberError     = entryForm.index("error")
	memberFormat    = entryForm.index("format")
	memberLocked    = entryForm.index("locked")
	memberID        = entryForm.index("id")
	memberNewKey    = entryForm.index("new_key")
	memberObject    = entryForm.index("object")
	memberPhase     = entryForm.index("phase")
	memberPolicy    = entryForm.index("policy")
	memberResult    = entryForm.index("result")
	memberRun       = entryForm.index("run")
	memberStep      = entryForm.index("step")
	memberTime      = entryForm.index("time")
)

// maxMembers is the number of members an entry may have.
const maxMembers = 32

// checkedEntry is an entry that has been found to be canonical and valid.
type checkedEntry struct {
	bytes []byte
	spans [maxMembers]span
	time  int64 // milliseconds since 1970-01-01

	outcome bool
	own     bool // about the log itself
}

// member returns a member's canonical JSON, empty if it is absent.
func (c *checkedEntry) member(i int) []byte { return c.bytes[c.spans[i].begin:c.spans[i].end] }

func (c *checkedEntry) has(i int) bool { return c.spans[i].end > 0 }

func (c *checkedEntry) is(i int, word string) bool {
	m := c.member(i)
	return len(m) == len(word)+2 && string(m[1:len(m)-1]) == word
}

// text returns what is between the quotes of a string member.
func (c *checkedEntry) text(i int) []byte {
	m := c.member(i)
	return m[1 : len(m)-1]
}

func (c *checkedEntry) newKey() (k sinks.PublicKey, err error) {
	err = k.UnmarshalText(c.text(memberNewKey))
	return k, err
}

// check makes sure that b is one entry in canonical form with every member valid
// by itself and in company of the others. A memo, unless nil, makes that faster
// for many entries in a row. It allocates only for an error.
func (c *checkedEntry) check(b []byte, seen *memo) error {
	if len(b) > MaxEntrySize {
		return fmt.Errorf("%d bytes long, more than %d", len(b), MaxEntrySize)
	}
	*c = checkedEntry{bytes: b}
	s := scanner{b: b}
	if !entryForm.scan(&s, c.spans[:], seen) {
		return s.err()
	}
	if s.pos != len(b) {
		return fmt.Errorf("byte %d: something follows the entry", s.pos)
	}
	c.time, _ = parseTime(c.text(memberTime))
	return c.checkCompany()
}

var errCompany = errors.New("members contradict each other")

// checkCompany checks what members demand of each other.
func (c *checkedEntry) checkCompany() error {
	if format := c.member(memberFormat); string(format) != entryFormat {
		return errors.New("member \"format\": not a format this version of Lapse knows")
	}
	for _, m := range [...]int{memberID, memberRun, memberStep} {
		if string(c.member(m)) == zeroID {
			return fmt.Errorf("member %q: is zero", entryForm.members[m].name)
		}
	}
	outcome, own := c.is(memberPhase, string(sinks.Outcome)), ownAction(c)
	c.outcome, c.own = outcome, own
	switch {
	case outcome != c.has(memberResult):
		return fmt.Errorf("%w: an outcome needs a result, an intent has none", errCompany)
	case !outcome && c.has(memberError):
		return fmt.Errorf("%w: an intent has no error", errCompany)
	case c.has(memberLocked) && !c.has(memberError):
		return fmt.Errorf("%w: only what failed is locked", errCompany)
	case !own && !c.has(memberPolicy):
		return fmt.Errorf("%w: only the log's own actions have no policy", errCompany)
	case own && !outcome:
		return fmt.Errorf("%w: the log's own actions are outcomes", errCompany)
	case c.has(memberNewKey) != c.is(memberAction, string(sinks.ActionRotateKey)):
		return fmt.Errorf("%w: a key rotation, and nothing else, has a new key", errCompany)
	case c.has(memberObject) && !(outcome && c.is(memberAction, string(sinks.ActionPurgeItem))):
		return fmt.Errorf("%w: the outcome of a purge, and nothing else, is about an object", errCompany)
	case c.has(memberContinues) != c.is(memberAction, string(sinks.ActionOpenYear)):
		return fmt.Errorf("%w: the opening of a year, and nothing else, continues another", errCompany)
	}
	return nil
}

var (
	entryFormat = strconv.Itoa(sinks.EntryFormat)
	zeroID      = `"` + sinks.ID{}.String() + `"`
)

// ownAction reports whether an entry is about the log itself. Such an entry is
// the effect that it tells of, so no intent precedes it.
func ownAction(c *checkedEntry) bool {
	return c.is(memberAction, string(sinks.ActionRotateKey)) ||
		c.is(memberAction, string(sinks.ActionCloseYear)) ||
		c.is(memberAction, string(sinks.ActionOpenYear))
}

// Decode returns the entry that b is the canonical form of. It refuses unknown
// members, words outside their vocabularies, and any other spelling of the same
// entry, so that the entry encodes to b again. Its errors quote nothing of b.
func Decode(b []byte) (*sinks.Entry, error) {
	var c checkedEntry
	if err := c.check(b, nil); err != nil {
		return nil, fmt.Errorf("decode audit entry: %w", err)
	}
	e := new(sinks.Entry)
	if err := json.Unmarshal(b, e); err != nil {
		return nil, fmt.Errorf("decode audit entry: canonical, but not of the entry's type")
	}
	return e, nil
}

// Encode returns the canonical form of an entry (RFC 8785). Times are written in
// UTC and cut to milliseconds. An entry that Decode would refuse is an error.
func Encode(e *sinks.Entry) ([]byte, error) {
	u, err := encodeUntimed(e)
	if err != nil {
		return nil, fmt.Errorf("encode audit entry: %w", err)
	}
	b := u.at(e.Time)
	if err := new(checkedEntry).check(b, nil); err != nil {
		return nil, fmt.Errorf("encode audit entry: %w", err)
	}
	return b, nil
}

// untimed is the canonical form of an entry up to its time, the last member. The
// time is known only when the entry's place in the log is.
type untimed []byte

const untimedEnd = `"0001-01-01T00:00:00Z"}`

func encodeUntimed(e *sinks.Entry) (untimed, error) {
	c := *e
	c.Time = time.Time{}
	c.AsOf = instant(e.AsOf)
	c.Due = instant(e.Due)
	c.Locked = instant(e.Locked)
	c.Stages = nil
	for _, s := range e.Stages {
		c.Stages = append(c.Stages, sinks.StageTime{Stage: s.Stage, Time: instant(s.Time)})
	}
	b, err := json.Marshal(&c)
	if err != nil {
		// The text may quote a value, and a value may come from a caller.
		return nil, errors.New("not representable as JSON")
	}
	u, ok := bytes.CutSuffix(b, []byte(untimedEnd))
	if !ok {
		return nil, errors.New("time is not the last member")
	}
	// The longest spelling of a time stands for the one that will be written.
	longest := time.Date(2000, 1, 1, 0, 0, 0, int(111*time.Millisecond), time.UTC)
	if err := new(checkedEntry).check(untimed(u).at(longest), nil); err != nil {
		return nil, err
	}
	return u, nil
}

// at completes the entry with the time it is written at.
func (u untimed) at(t time.Time) []byte {
	b := make([]byte, 0, len(u)+len(untimedEnd)+len(".000"))
	b = append(append(b, u...), '"')
	b = instant(t).AppendFormat(b, time.RFC3339Nano)
	return append(b, '"', '}')
}

// instant is t as the log keeps it: in UTC and whole milliseconds.
func instant(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }
