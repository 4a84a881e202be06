package decode

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"time"

	"github.com/facesoft/lapse/sinks"
)

// pseudonym is the text form of the first 128 bits of an HMAC-SHA-256 (RFC 2104):
// 32 hexadecimal digits.
type pseudonym [2 * pseudonymBytes]byte

const pseudonymBytes = 16

// pseudonyms replaces identifiers. The same identifier has the same pseudonym in
// all columns throughout a period, and another one in the next.
type pseudonyms struct {
	keys    sinks.Keyring
	unit    sinks.KeyUnit
	periods []*keyed // the last ones that were used, the very last first
}

// keyed is what a period's pseudonyms are made with.
type keyed struct {
	period sinks.KeyPeriod
	last   sinks.Day
	mac    hash.Hash
	sum    []byte
	known  Recent[pseudonym]
}

// Records of two periods come in turns at the border between them; further back are
// single ones.
const periodsInUse = 4

func (p *pseudonyms) of(value []byte, at time.Time) (pseudonym, error) {
	k, err := p.keyed(sinks.DayOf(at))
	if err != nil {
		return pseudonym{}, err
	}
	made, known := k.known.Find(value)
	if !known {
		k.mac.Reset()
		k.mac.Write(value)
		k.sum = k.mac.Sum(k.sum[:0])
		hex.Encode(made[:], k.sum[:pseudonymBytes])
	}
	return *made, nil
}

// Pseudonym returns what stands for an identifier in the period of the key.
func Pseudonym(key sinks.PseudonymKey, identifier string) string {
	mac := hmac.New(sha256.New, key[:])
	mac.Write([]byte(identifier))
	return hex.EncodeToString(mac.Sum(nil)[:pseudonymBytes])
}

// keyed returns what the pseudonyms of a day are made with.
func (p *pseudonyms) keyed(day sinks.Day) (*keyed, error) {
	for i, k := range p.periods {
		if k.period.First <= day && day <= k.last {
			copy(p.periods[1:i+1], p.periods[:i])
			p.periods[0] = k
			return k, nil
		}
	}
	period := sinks.KeyPeriodOf(p.unit, day)
	key, err := p.keys.Key(period)
	if err != nil {
		return nil, err
	}
	k := &keyed{period: period, last: period.Last(), mac: hmac.New(sha256.New, key[:])}
	p.periods = append([]*keyed{k}, p.periods[:min(len(p.periods), periodsInUse-1)]...)
	return k, nil
}
