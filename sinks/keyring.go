package sinks

import (
	"fmt"
	"time"
)

// PseudonymKey is the secret of the pseudonyms of one period.
type PseudonymKey [32]byte

// LedgerKey is the secret by which a ledger about people knows an identifier again
// without holding it; see SubjectKey.
type LedgerKey [32]byte

// KeyUnit is the length of a period with one key, in the notation of ISO 8601.
type KeyUnit string

// The units.
const (
	KeyDay   KeyUnit = "P1D"
	KeyMonth KeyUnit = "P1M"
	KeyYear  KeyUnit = "P1Y"
)

// KeyPeriod is a day, month or year of event time, UTC, whose pseudonyms have one
// key.
type KeyPeriod struct {
	Unit  KeyUnit
	First Day
}

// KeyPeriodOf returns the period that a day belongs to.
func KeyPeriodOf(unit KeyUnit, day Day) KeyPeriod {
	year, month, date := day.Start().Date()
	switch unit {
	case KeyYear:
		month, date = time.January, 1
	case KeyMonth:
		date = 1
	}
	return KeyPeriod{unit, DayOf(time.Date(year, month, date, 0, 0, 0, 0, time.UTC))}
}

// Last returns the period's last day.
func (p KeyPeriod) Last() Day {
	switch first := p.First.Start(); p.Unit {
	case KeyYear:
		return DayOf(first.AddDate(1, 0, 0)) - 1
	case KeyMonth:
		return DayOf(first.AddDate(0, 1, 0)) - 1
	}
	return p.First
}

func (p KeyPeriod) String() string { return fmt.Sprintf("%s-%s", p.First, p.Unit) }

// Keyring holds keys by period: those of pseudonyms, or those of the erasure ledger.
// Several processes may use it at once; all of them get the same key for a period.
type Keyring interface {
	// Key returns a period's key, which is made if there is none. It is durable when
	// Key returns.
	Key(p KeyPeriod) (PseudonymKey, error)
	// Periods returns the periods that have a key, the earliest first.
	Periods() ([]KeyPeriod, error)
	// Destroy deletes a period's key. There need not be one.
	Destroy(p KeyPeriod) error
}

// LedgerKeys holds the keys that are not of a period: those of the ledgers about
// consent and of the tombstones.
type LedgerKeys interface {
	// Secret returns the key of a ledger, which is made if there is none. It is durable
	// when Secret returns.
	Secret(ledger string) (LedgerKey, error)
}
