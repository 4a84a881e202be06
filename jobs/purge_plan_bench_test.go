package jobs_test

import (
	"fmt"
	"runtime/debug"
	"testing"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/jobs"
	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/clickhouse"
	"github.com/facesoft/lapse/sinks/sinktest"
)

// BenchmarkPlanPurge plans the purge of a register of a million items, of which none, a
// hundredth or all are due. Beside it ClickHouse counts the latest registrations of all
// objects, which every rule needs before it can judge one.
//
// It reports the time until the first portion is planned, as it is and as a multiple of
// that count's, and the most memory that this process held meanwhile.
func BenchmarkPlanPurge(b *testing.B) {
	const items = 1_000_000
	p := sinktest.Policy(b, config.Facesoft)
	store, options := sinktest.Store(b, p)
	connection := fillRegister(b, options, items)
	for _, c := range []struct {
		name string
		due  int
		now  time.Time
	}{
		{"none due", 0, asOf.Add(-time.Second)},
		{"a hundredth due", items / 100, asOf},
		{"all due", items, asOf.Add(time.Second)},
	} {
		b.Run(c.name, func(b *testing.B) {
			job := &jobs.Purge{Policy: p, Personal: store, Subjects: store, Register: store, Inventory: store, Buckets: map[string]sinks.Bucket{"training": openFolder(b)}}
			var planning, counting []float64
			memory := 0.0
			for b.Loop() {
				counting = append(counting, timed(func() { countLatest(b, connection, options) }))
				debug.FreeOSMemory()
				resetPeak(b)
				planning = append(planning, timed(func() { // until the first step can be taken
					for steps, err := range job.Portions(b.Context(), c.now) {
						if err != nil || (len(steps) > 0) != (c.due > 0) {
							b.Fatalf("%d steps, %v", len(steps), err)
						}
						break
					}
				}))
				memory = max(memory, peak(b))
			}
			b.ReportMetric(median(planning), "s")
			b.ReportMetric(median(planning)/median(counting), "of-counting")
			b.ReportMetric(memory, "MiB-peak")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkPurgeMillion purges a register of a million items, all due, whose objects are
// gone already: what is measured is the register, the audit log and the verification.
func BenchmarkPurgeMillion(b *testing.B) {
	const items = 1_000_000
	h := newHouse(b, map[string]sinks.Bucket{"training": openFolder(b)})
	fillRegister(b, h.options, items)
	for b.Loop() {
		debug.FreeOSMemory()
		resetPeak(b)
		report, err := h.runner.Run(b.Context(), h.purge, asOf.Add(time.Second))
		if err != nil || report.Counts()[sinks.CountObjects] != items {
			b.Fatalf("%d steps, %v", report.Steps, err)
		}
		b.ReportMetric(report.Ended.Sub(report.Started).Seconds(), "s")
		b.ReportMetric(peak(b), "MiB-peak")
		b.ReportMetric(0, "ns/op")
	}
}

// fillRegister registers items of which a hundredth serve a purpose that is complete at
// asOf, and the rest one that is complete a second later.
func fillRegister(b *testing.B, o clickhouse.Options, items int) driver.Conn {
	b.Helper()
	c, err := driver.Open(&driver.Options{Addr: o.Addresses, Auth: driver.Auth{Username: o.User, Password: o.Password}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = c.Close() })
	table := fmt.Sprintf("`%s`.`training`", o.Databases.Control)
	for _, statement := range []string{
		fmt.Sprintf(`INSERT INTO %s (at, kind, item, bucket, object_key, organisation, subjects, bytes, purposes, derivatives, consent, lapse_record)
			SELECT toDateTime64('%s', 3, 'UTC'), 'training_item', lower(hex(sipHash128(number))), 'training', concat('org-', toString(number %% 20), '/img-', toString(number), '.jpg'),
				concat('org-', toString(number %% 20)), concat('["u-', toString(number %% 100000), '"]'), 100000,
				if(number %% 100 = 0, '["first"]', '["second"]'), concat('["crops/img-', toString(number), '.webp"]'), true, generateUUIDv4()
			FROM numbers(%d)`, table, uploaded.Format(time.DateTime), items),
		fmt.Sprintf(`INSERT INTO %s (at, kind, item, purpose, lapse_record)
			SELECT toDateTime64('%s', 3, 'UTC') + number, 'training_purpose_completed', toString(number), ['first', 'second'][number + 1], generateUUIDv4()
			FROM numbers(2)`, table, asOf.Format(time.DateTime)),
	} {
		if err := c.Exec(b.Context(), statement); err != nil {
			b.Fatal(err)
		}
	}
	return c
}

func countLatest(b *testing.B, c driver.Conn, o clickhouse.Options) {
	b.Helper()
	var objects, bytes uint64
	err := c.QueryRow(b.Context(), fmt.Sprintf("SELECT count(), sum(latest.2) FROM (SELECT argMax((item, bytes, purposes), (at, item)) AS latest FROM `%s`.`training` WHERE kind = 'training_item' GROUP BY bucket, object_key)", o.Databases.Control)).Scan(&objects, &bytes)
	if err != nil || objects == 0 {
		b.Fatal(err)
	}
}
