package clickhouse

import (
	"context"

	"github.com/facesoft/lapse/sinks"
)

var _ sinks.Overview = (*Store)(nil)

// Status implements sinks.Overview.
func (s *Store) Status(ctx context.Context) (*sinks.Status, error) {
	st := &sinks.Status{}
	for i := range s.policy.Datasets {
		d := &s.policy.Datasets[i]
		data := map[string]any{"Personal": s.tables[d.Name], "Published": nil, "Control": s.db.Control}
		if d.Publish != nil {
			data["Published"] = s.published(d)
		}
		ds := sinks.DatasetStatus{Dataset: d.Name}
		var first, last int32
		err := s.queryRow(ctx, "dataset_status", data, parameters{"dataset": d.Name},
			&ds.Personal, &first, &last, &ds.Published, &ds.Suppressed, &ds.Partitions, &ds.Smallest, &ds.Classes, &ds.Generalised, &ds.Loss)
		if err != nil {
			return nil, err
		}
		ds.First, ds.Last = sinks.Day(first), sinks.Day(last)
		st.Datasets = append(st.Datasets, ds)
	}
	if !s.first() {
		return st, nil
	}
	err := s.queryRow(ctx, "control_status", s.db, nil, &st.Sources, &st.Unfinished, &st.Quarantined, &st.Items, &st.Purged)
	return st, err
}

// Account implements sinks.Overview.
func (s *Store) Account(ctx context.Context) (sum sinks.SourceDay, err error) {
	err = s.queryRow(ctx, "account", s.db, nil, &sum.Read, &sum.Stored, &sum.Quarantined, &sum.Refused, &sum.Duplicate)
	return sum, err
}
