package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/hashicorp/go-multierror"

	"github.com/facesoft/lapse/sinks"
)

// verified is what Verify found of one partition.
type verified struct {
	different, classes, smallest, rows, identifiers uint64
	values, alike                                   uint64 // sensitive values that differ, classes in which they are too much alike
}

// verifyClasses compares what is published with what was staged.
func (st *stage) verifyClasses(ctx context.Context) (map[string]*verified, error) {
	found := map[string]*verified{}
	for _, p := range st.pubs {
		found[partitionID(p.Partition)] = &verified{}
	}
	err := st.store.query(ctx, "verify_classes", st, st.checkParameters(), func(r driver.Rows) error {
		var id string
		var v verified
		err := r.Scan(&id, &v.different, &v.classes, &v.smallest, &v.rows)
		found[id] = &v
		return err
	})
	return found, err
}

// Stands implements sinks.Staged. A class whose rows would be generalised further by
// now has nobody left.
func (st *stage) Stands(ctx context.Context) (map[sinks.Partition]bool, error) {
	found, err := st.verifyClasses(ctx)
	if err != nil {
		return nil, err
	}
	stands := map[sinks.Partition]bool{}
	for _, p := range st.pubs {
		v := found[partitionID(p.Partition)]
		stands[p.Partition] = v.rows == 0 || v.smallest >= uint64(st.G.K)
	}
	return stands, nil
}

// Verify implements sinks.Staged.
func (st *stage) Verify(ctx context.Context) error {
	var found map[string]*verified
	named := map[string]uint64{}
	err := st.sideBySide(ctx, func(ctx context.Context) (err error) {
		found, err = st.verifyClasses(ctx)
		return err
	}, func(ctx context.Context) error { return st.verifyIdentifiers(ctx, named) })
	if err != nil {
		return err
	}
	for id, v := range found {
		v.identifiers = named[id]
	}
	for _, column := range st.G.Sensitive {
		if err := st.verifySensitive(ctx, column, found); err != nil {
			return err
		}
	}
	held, err := st.holdings(ctx)
	if err != nil {
		return err
	}
	if err := st.unchanged(held); err != nil { // what is published is not of the rows that are there
		return err
	}
	var faults *multierror.Error
	for i := range st.pubs {
		p := &st.pubs[i]
		if st.refused[partitionID(p.Partition)] {
			continue
		}
		v := found[partitionID(p.Partition)]
		if err := v.judge(p); err != nil {
			faults = multierror.Append(faults, fmt.Errorf("verify %s of %s: %w", p.Partition, p.Dataset, err))
			continue
		}
		p.K.Classes, p.K.Smallest, p.VerifiedAt = v.classes, v.smallest, time.Now().UTC()
	}
	return faults.ErrorOrNil()
}

// verifyIdentifiers looks for direct identifiers in the published texts, and counts the
// texts that hold one by partition.
func (st *stage) verifyIdentifiers(ctx context.Context, found map[string]uint64) error {
	of := st.ofPublished()
	if err := st.store.dropStage(ctx, of.TextTable, of.MatchTable); err != nil { // of an earlier look
		return err
	}
	if err := st.carryOut(ctx, st.checking()); err != nil {
		return err
	}
	if named, err := of.matchTexts(ctx); err != nil || !named {
		return err
	}
	return st.store.query(ctx, "verify_identifiers", of, st.parameters(), func(r driver.Rows) error {
		var id string
		var n uint64
		err := r.Scan(&id, &n)
		found[id] = n
		return err
	})
}

// verifySensitive looks at the values of one sensitive column.
func (st *stage) verifySensitive(ctx context.Context, column sensitiveColumn, found map[string]*verified) error {
	return st.store.query(ctx, "verify_sensitive", st.of(column), st.checkParameters(), func(r driver.Rows) error {
		var id string
		var different, alike uint64
		err := r.Scan(&id, &different, &alike)
		if v := found[id]; v != nil {
			v.values, v.alike = v.values+different, v.alike+alike
		}
		return err
	})
}

// judge says everything that is wrong.
func (v *verified) judge(p *sinks.Publication) error {
	var faults []string
	add := func(wrong bool, format string, args ...any) {
		if wrong {
			faults = append(faults, fmt.Sprintf(format, args...))
		}
	}
	add(v.different > 0, "%d classes are not published as staged", v.different)
	add(v.rows != p.Published, "%d rows are published, %d were staged", v.rows, p.Published)
	add(v.rows > 0 && v.smallest < p.K.K, "a published class holds %d people, the policy asks for %d", v.smallest, p.K.K)
	add(v.identifiers > 0, "%d published values hold a direct identifier", v.identifiers)
	add(v.values > 0, "%d sensitive values are not published as often as they occur", v.values)
	add(v.alike > 0, "in %d published classes the sensitive values are too much alike", v.alike)
	if faults == nil {
		return nil
	}
	err := fmt.Errorf("%w: %s", sinks.ErrVerification, strings.Join(faults, "; "))
	if v.rows > p.Published { // somebody else is at publishing the same
		return errors.Join(sinks.ErrConflict, err)
	}
	return err
}
