package clickhouse

import (
	"context"
	"errors"
	"fmt"

	"github.com/facesoft/lapse/sinks"
)

// Publish implements sinks.Staged. Where more is suppressed than the policy allows,
// nothing is published, nor left of an earlier attempt. Where everything was suppressed, there is
// nothing to publish, and nothing may be left of an earlier attempt.
func (st *stage) Publish(ctx context.Context, p sinks.Partition) error {
	pub, err := st.publication(partitionID(p))
	if err != nil {
		return err
	}
	if float64(pub.Suppressed) > st.G.Limit*float64(pub.Rows) {
		st.refused[partitionID(p)] = true
		err := fmt.Errorf("%w: of %s of %s, %d of %d rows fit no class, more than the suppression_limit of %g; choose coarser levels ('lapse policy tune') or a higher limit", sinks.ErrSuppression, p, pub.Dataset, pub.Suppressed, pub.Rows, st.G.Limit)
		if st.published[partitionID(p)] > 0 {
			err = errors.Join(err, st.store.dropPartitions(ctx, st.G.Published, []string{partitionID(p)}))
		}
		return err
	}
	if pub.Published == 0 {
		if st.published[partitionID(p)] == 0 {
			return nil
		}
		return st.store.dropPartitions(ctx, st.G.Published, []string{partitionID(p)})
	}
	data := *st
	data.Partition = partitionID(p)
	if err := st.store.replacePartition(ctx, st.G.Published, p, pub.Published, "publish_partition", &data); err != nil {
		return fmt.Errorf("publish %s of %s: %w", p, pub.Dataset, err)
	}
	return nil
}
