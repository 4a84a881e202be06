package jobs

import (
	"context"

	"github.com/facesoft/lapse/jobs/decode"
	"github.com/facesoft/lapse/sinks"
)

// revokedRecord is a record that is refused because of what somebody has decided. If
// the run that read the source before was interrupted, it may have been stored under
// the decision of that time.
type revokedRecord struct {
	fate     decode.Fate
	position uint64
}

// settleRevoked counts those of the refused records as stored that are: what was
// stored stays as it was decided then, until whoever has decided otherwise removes it.
func (r *sourceReader) settleRevoked(ctx context.Context) error {
	for i, revoked := range r.revoked {
		o := r.outlets[i]
		records := make([]sinks.ID, len(revoked))
		first, last := revoked[0].fate.Day, revoked[0].fate.Day
		for i, v := range revoked {
			records[i] = v.fate.Record
			first, last = min(first, v.fate.Day), max(last, v.fate.Day)
		}
		known, err := r.Intake.Known(ctx, o.dataset, records, first, last)
		if err != nil {
			return err
		}
		for _, v := range revoked {
			mine := sinks.RowOrigin{Source: r.source, Position: v.position}
			if origin, found := known[v.fate.Record]; !found || origin != mine {
				continue
			}
			d := r.account.of(v.fate.Day, v.fate.Dated)
			d.Refused--
			d.Stored++
			r.refused[refusals[v.fate.Reason]]--
			o.stored.add(v.fate.Day)
			if r.decided != nil {
				r.decided(v.position, sinks.ReplayStored)
			}
		}
	}
	return nil
}
