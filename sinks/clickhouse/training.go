package clickhouse

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/ext"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
)

var _ sinks.TrainingRegister = (*Store)(nil)

// judging is what judged_items.sql is rendered from.
type judging struct {
	Control  string
	Children *config.ChildRule
	Rules    []string
	// Restriction begins the reasons of holds on those who have asked for restriction.
	Restriction string
	// Made says that what was made from the items is asked for, too.
	Made    bool
	cutoffs sinks.TrainingCutoffs
}

func (s *Store) judging(cutoffs sinks.TrainingCutoffs) *judging {
	j := &judging{Control: s.db.Control, Restriction: sinks.RestrictionReason, cutoffs: cutoffs}
	if s.policy.Training != nil {
		j.Children = s.policy.Training.Children
	}
	for _, r := range sinks.TrainingRules {
		j.Rules = append(j.Rules, string(r))
	}
	return j
}

// Before returns, as an expression, when an event must have happened at the latest for
// an item to be due by the rule; before everything if the rule does not apply.
func (j *judging) Before(rule string) string {
	before, ok := j.cutoffs[sinks.Rule(rule)]
	if !ok {
		before = time.Unix(-1, 0)
	}
	return "toDateTime64(" + literal(milliseconds(before)) + ", 3, 'UTC')"
}

// ruleOf returns the rule of a number that judged_items.sql gives; none for 0.
func ruleOf(number uint8) sinks.Rule {
	if number == 0 {
		return ""
	}
	return sinks.TrainingRules[number-1]
}

// numberOf is the inverse of ruleOf.
func numberOf(rule sinks.Rule) int { return slices.Index(sinks.TrainingRules, rule) + 1 }

// sinceEpoch returns a time as it is stored; the beginning of 1970 stands for none.
func sinceEpoch(t time.Time) time.Time {
	if t.UnixMilli() == 0 {
		return time.Time{}
	}
	return t
}

// registersItems reports whether any item has been registered. To judge none takes as long
// as to judge a few: most of it goes into the statement.
func (s *Store) registersItems(ctx context.Context) (found bool, err error) {
	err = s.queryRow(ctx, "registers_items", s.db, nil, &found)
	return found, err
}

// DueItems implements sinks.TrainingRegister.
func (s *Store) DueItems(ctx context.Context, now time.Time, cutoffs sinks.TrainingCutoffs, page sinks.ItemPage) (items []sinks.TrainingItem, err error) {
	if len(cutoffs) == 0 {
		return nil, nil
	}
	if registered, err := s.registersItems(ctx); !registered {
		return nil, err
	}
	limit := page.Limit
	if limit == 0 {
		limit = math.MaxInt
	}
	where := parameters{"now": milliseconds(now), "bucket": page.AfterBucket, "key": page.AfterKey, "item": page.AfterItem.String(), "limit": strconv.Itoa(limit)}
	err = s.query(ctx, "due_items", s.judging(cutoffs), where, func(r driver.Rows) error {
		var id string
		var rule uint8
		var item sinks.TrainingItem
		if err := r.Scan(&id, &item.Bucket, &item.Key, &item.Bytes, &item.UploadedAt, &rule, &item.Since, &item.MarkedAt); err != nil {
			return err
		}
		item.Rule, item.MarkedAt = ruleOf(rule), sinceEpoch(item.MarkedAt)
		items = append(items, item)
		return items[len(items)-1].Item.UnmarshalText([]byte(id))
	})
	return items, err
}

// MarkDueItems implements sinks.TrainingRegister.
func (s *Store) MarkDueItems(ctx context.Context, now time.Time, cutoffs sinks.TrainingCutoffs, rule sinks.Rule) (marked uint64, err error) {
	if registered, err := s.registersItems(ctx); !registered {
		return 0, err
	}
	at := parameters{"now": milliseconds(now), "only": strconv.Itoa(numberOf(rule))}
	if err := s.queryRow(ctx, "count_unmarked", s.judging(cutoffs), at, &marked); err != nil || marked == 0 {
		return 0, err
	}
	err = s.exec(ctx, "mark_items", s.judging(cutoffs), at)
	return marked, errors.Join(err, s.durable())
}

// RestoreItems implements sinks.TrainingRegister.
func (s *Store) RestoreItems(ctx context.Context, now time.Time, ids []sinks.ID) error {
	err := s.insert(ctx, "insert_restored", s.db, len(ids), func(i int) []any {
		return []any{ids[i].String(), "restored", now}
	})
	return errors.Join(err, s.durable())
}

// Items implements sinks.TrainingRegister.
func (s *Store) Items(ctx context.Context, ids []sinks.ID) (map[sinks.ID]sinks.TrainingItem, error) {
	items := map[sinks.ID]sinks.TrainingItem{}
	var superseded []sinks.ID
	err := s.queryItems(ctx, "items_by_id", ids, nil, func(r driver.Rows) error {
		var id string
		var item sinks.TrainingItem
		var by string
		var shared []string
		if err := r.Scan(&id, &item.Bucket, &item.Key, &item.Derivatives, &item.Bytes, &item.UploadedAt, &item.Models, &by, &shared, &item.Buried); err != nil {
			return err
		}
		err := item.Item.UnmarshalText([]byte(id))
		if by != "" {
			item.Superseded = &sinks.Superseded{Shared: shared}
			err = errors.Join(err, item.Superseded.By.UnmarshalText([]byte(by)))
			superseded = append(superseded, item.Item)
		}
		items[item.Item] = item
		return err
	})
	if err != nil || len(superseded) == 0 {
		return items, err
	}
	at := parameters{"now": milliseconds(lastHeld)} // what is decided later counts as well
	err = s.queryItems(ctx, "withdrawals_of", superseded, at, func(r driver.Rows) error {
		var text string
		var withdrawn time.Time
		if err := r.Scan(&text, &withdrawn); err != nil {
			return err
		}
		var id sinks.ID
		err := id.UnmarshalText([]byte(text))
		items[id].Superseded.Withdrawn = withdrawn
		return err
	})
	return items, err
}

// Tombstones implements sinks.TrainingRegister.
func (s *Store) Tombstones(ctx context.Context, ids []sinks.ID) (map[sinks.ID]sinks.Tombstone, error) {
	stones := map[sinks.ID]sinks.Tombstone{}
	err := s.queryItems(ctx, "tombstones_by_id", ids, nil, func(r driver.Rows) error {
		var id, object, rule string
		var stone sinks.Tombstone
		if err := r.Scan(&id, &object, &rule, &stone.Bytes, &stone.Objects, &stone.UploadedAt, &stone.PurgedAt, &stone.Models); err != nil {
			return err
		}
		stone.Rule = sinks.Rule(rule)
		err := errors.Join(stone.Item.UnmarshalText([]byte(id)), readDigest(&stone.Object, object))
		stones[stone.Item] = stone
		return err
	})
	return stones, err
}

// digestText is how a digest is stored that may be unset.
func digestText(d sinks.Digest) string {
	if d.IsZero() {
		return ""
	}
	return d.String()
}

func readDigest(d *sinks.Digest, text string) error {
	if text == "" {
		return nil
	}
	return d.UnmarshalText([]byte(text))
}

// queryItems runs a statement that looks the ids up in an external table.
func (s *Store) queryItems(ctx context.Context, name string, ids []sinks.ID, p parameters, scan func(driver.Rows) error) error {
	wanted, err := ext.NewTable("wanted", ext.Column("item", "String"))
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := wanted.Append(id.String()); err != nil {
			return err
		}
	}
	return s.query(clickhouse.Context(ctx, clickhouse.WithExternalTable(wanted)), name, s.db, p, scan)
}

// PutTombstones implements sinks.TrainingRegister.
func (s *Store) PutTombstones(ctx context.Context, stones []sinks.Tombstone) error {
	err := s.insert(ctx, "insert_tombstones", s.db, len(stones), func(i int) []any {
		t := stones[i]
		return []any{t.Item.String(), digestText(t.Object), string(t.Rule), t.Bytes, t.Objects, t.UploadedAt, t.PurgedAt, s.policy.Version, fmt.Sprintf("%x", s.policy.Hash), t.Models}
	})
	return errors.Join(err, s.durable())
}

// Forgettable implements sinks.TrainingRegister.
func (s *Store) Forgettable(ctx context.Context, strays time.Time) (rows uint64, set sinks.ID, err error) {
	var hash uint64
	err = s.queryRow(ctx, "forgettable", s.db, parameters{"strays": milliseconds(strays)}, &rows, &hash)
	binary.BigEndian.PutUint64(set[:], hash)
	return rows, set, err
}

// Forget implements sinks.TrainingRegister. With an item goes what tied old consents to
// the register, so those are forgettable in turn.
func (s *Store) Forget(ctx context.Context, strays time.Time) (left sinks.Absence, err error) {
	for {
		if left, err = s.forgetOnce(ctx, strays); err != nil || !left.Proven() {
			return left, err
		}
		rows, _, err := s.Forgettable(ctx, strays)
		if err != nil || rows == 0 {
			return left, err
		}
	}
}

// forgetOnce deletes the rows that are forgettable now. They are listed first: a mutation
// that looks into the table it changes can wait for itself.
func (s *Store) forgetOnce(ctx context.Context, strays time.Time) (left sinks.Absence, err error) {
	data := map[string]any{"Control": s.db.Control, "RecordTable": stagePrefix + sinks.NewID().String() + "_records"}
	defer func() { err = errors.Join(err, s.dropStage(context.WithoutCancel(ctx), data["RecordTable"].(string))) }()
	for _, statement := range []string{"create_forgotten", "list_forgotten"} {
		if err := s.exec(ctx, statement, data, parameters{"strays": milliseconds(strays)}); err != nil {
			return left, err
		}
	}
	t := s.tables[sinks.TrainingDataset]
	if err := s.mutate(ctx, t, "forget_items", data); err != nil {
		return left, err
	}
	return s.awaitGone(ctx, t, func() (rows uint64, err error) {
		err = s.queryRow(ctx, "left_forgotten", data, nil, &rows)
		return rows, err
	})
}
