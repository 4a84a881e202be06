package config

import (
	"regexp"
	"slices"
	"strings"
	"time"
)

// JobSchedule says when `lapse serve` runs a job, and how.
type JobSchedule struct {
	Job string `yaml:"job"` // one of ScheduledJobs
	// Spec says when, by the clocks of TimeZone; UTC if that is left out.
	Spec     Spec `yaml:"spec"`
	TimeZone Zone `yaml:"time_zone,omitempty"`
	// Jitter is by how much a run may be put off, at random, so that installations do
	// not all begin at once; none if empty.
	Jitter Period `yaml:"jitter,omitempty"`
	// Timeout ends a run; the next one goes on. PT6H if empty.
	Timeout Period `yaml:"timeout,omitempty"`
	// Overlap says what happens at a scheduled time while the job still runs.
	Overlap Overlap `yaml:"overlap,omitempty"`
}

// Overlap is a rule for a scheduled time at which the job still runs.
type Overlap string

// The rules. In neither case do two runs of a job go on side by side.
const (
	OverlapSkip  Overlap = "skip"  // leave it out: the next run does what is due; the default
	OverlapQueue Overlap = "queue" // run once more afterwards, however many times have passed
)

// ScheduledJobs are the jobs that can be scheduled, in the order in which they are
// done where they are done one after the other.
var ScheduledJobs = []string{"ingest", "dispose", "sweep", "subject", "anonymise", "purge", "reconcile"}

// HistorySettings say for how long runs are remembered.
type HistorySettings struct {
	Keep Period `yaml:"keep,omitempty" env:"KEEP"` // P25M if empty
}

// LeaseSettings say by what two runs of a job are kept apart.
type LeaseSettings struct {
	// Kind is file, for the processes that share DataDir, or kubernetes, for those of a
	// namespace, too, or keeper, for those that use the same ClickHouse; file if empty.
	Kind LeaseKind `yaml:"kind,omitempty" env:"KIND"`
	// Prefix begins the names of the Lease objects, and the path in Keeper; lapse if
	// empty. Two installations in one namespace, or with one Keeper, need two.
	Prefix string `yaml:"prefix,omitempty" env:"PREFIX"`
}

// LeaseKind is a kind of lease.
type LeaseKind string

// The kinds.
const (
	LeaseFile       LeaseKind = "file"
	LeaseKubernetes LeaseKind = "kubernetes"
	LeaseKeeper     LeaseKind = "keeper"
)

// leasePrefix is what the name of an object of Kubernetes may begin with.
var leasePrefix = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// longestJitter keeps a run near its time.
const longestJitter = 24 * time.Hour

// Length returns the period as a duration; months are those of January 1970.
func (p Period) Length() time.Duration {
	start := time.Unix(0, 0)
	return p.After(start, time.UTC).Sub(start)
}

// fillInSchedule sets what was left out.
func (s *Settings) fillInSchedule() {
	for i := range s.Schedule {
		j := &s.Schedule[i]
		if j.Timeout.IsZero() {
			j.Timeout = MustPeriod("PT6H")
		}
		if j.Overlap == "" {
			j.Overlap = OverlapSkip
		}
	}
	if s.Lease.Kind == "" {
		s.Lease.Kind = LeaseFile
	}
	if s.Lease.Prefix == "" {
		s.Lease.Prefix = "lapse"
	}
	if s.History.Keep.IsZero() {
		s.History.Keep = MustPeriod("P25M")
	}
}

// checkSchedule checks when jobs run.
func (s *Settings) checkSchedule(r *reporter, root place) {
	lease := root.key("lease")
	switch s.Lease.Kind {
	case "", LeaseFile, LeaseKubernetes, LeaseKeeper:
	default:
		r.fault(lease.key("kind"), "%q is not a kind of lease; write file, kubernetes or keeper", string(s.Lease.Kind))
	}
	if p := s.Lease.Prefix; p != "" && !leasePrefix.MatchString(p) {
		r.fault(lease.key("prefix"), "%q cannot begin the name of a Lease; use a-z, 0-9 and -", p)
	}
	seen := map[string]bool{}
	for i, j := range s.Schedule {
		at := root.key("schedule").item(i, j.Job)
		if !slices.Contains(ScheduledJobs, j.Job) {
			r.fault(at.key("job"), "%q is not a job; it is one of %s", j.Job, strings.Join(ScheduledJobs, ", "))
		}
		if seen[j.Job] {
			r.fault(at.key("job"), "%q is scheduled twice; a spec can name several times, such as '0 2,14 * * *'", j.Job)
		}
		seen[j.Job] = true
		if j.Spec.IsZero() {
			r.fault(at.key("spec"), "say when the job runs: %s", specHint)
		}
		if j.Jitter.Length() > longestJitter {
			r.fault(at.key("jitter"), "%s is too long; use at most PT24H", j.Jitter)
		}
		switch j.Overlap {
		case "", OverlapSkip, OverlapQueue:
		default:
			r.fault(at.key("overlap"), "%q is not a rule; write skip or queue", string(j.Overlap))
		}
	}
}
