package jobs

import (
	"crypto/hmac"
	"crypto/sha256"
	"hash"

	"github.com/facesoft/lapse/jobs/decode"
	"github.com/facesoft/lapse/sinks"
)

// SubjectKeys makes the keys by which a ledger knows identifiers. It is not safe for
// use by several goroutines at once.
type SubjectKeys struct {
	mac   hash.Hash
	sum   []byte
	text  []byte
	known decode.Recent[sinks.SubjectKey]
}

// What is remembered of people is bounded.
const (
	knownSubjects  = 1 << 15
	longestSubject = 256 // bytes, with the column's name
)

// NewSubjectKeys returns what makes the keys of a ledger.
func NewSubjectKeys(secret sinks.LedgerKey) *SubjectKeys {
	return &SubjectKeys{mac: hmac.New(sha256.New, secret[:])}
}

// all returns the keys of a person's identifiers.
func (k *SubjectKeys) all(p sinks.Person) []sinks.SubjectKey {
	keys := make([]sinks.SubjectKey, len(p.Identifiers))
	for i, id := range p.Identifiers {
		keys[i] = k.Of(id.Column, []byte(id.Text))
	}
	return keys
}

// Of returns the key of an identifier, such as that in the column user_id.
func (k *SubjectKeys) Of(column string, identifier []byte) sinks.SubjectKey {
	k.text = append(append(append(k.text[:0], column...), 0), identifier...)
	key, known := k.known.Find(k.text)
	if !known {
		*key = k.hash(k.text)
	}
	return *key
}

// hash returns the key of a column's name, a zero byte and an identifier.
func (k *SubjectKeys) hash(text []byte) sinks.SubjectKey {
	k.mac.Reset()
	k.mac.Write(text)
	k.sum = k.mac.Sum(k.sum[:0])
	return sinks.SubjectKey(k.sum)
}
