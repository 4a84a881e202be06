package sinks

import (
	"context"
	"time"
)

// RunRecord is a line of the run history. It says of what a run was, never of whom.
type RunRecord struct {
	Run   ID      `json:"run"`
	Job   JobKind `json:"job"`
	Actor Actor   `json:"actor"`
	// ScheduledFor is the time of the schedule that the run was for, UTC; zero if
	// somebody ran it by hand.
	ScheduledFor  time.Time        `json:"scheduled_for,omitzero"`
	AsOf          time.Time        `json:"as_of"`
	StartedAt     time.Time        `json:"started_at"`
	EndedAt       time.Time        `json:"ended_at"`
	Result        Result           `json:"result"`
	Error         ErrorClass       `json:"error,omitempty"`
	Steps         uint64           `json:"steps"`
	Failed        uint64           `json:"failed"`
	Counts        map[Count]uint64 `json:"counts,omitempty"` // of all its steps
	PolicyVersion string           `json:"policy_version,omitempty"`
	PolicyHash    string           `json:"policy_hash,omitempty"` // hexadecimal
	Program       string           `json:"program"`               // version of the program
}

// RunFilter says which runs are asked for.
type RunFilter struct {
	Job   JobKind   // any if empty
	Since time.Time // by their start
	Limit int       // the newest; all if 0
}

// RunHistory remembers the runs of the jobs.
type RunHistory interface {
	RecordRun(ctx context.Context, r RunRecord) error
	// LastRuns returns the latest run of each job.
	LastRuns(ctx context.Context) ([]RunRecord, error)
	// Runs returns runs, the newest first.
	Runs(ctx context.Context, f RunFilter) ([]RunRecord, error)
	// LastScheduled returns the latest scheduled time of each job that a run was for.
	LastScheduled(ctx context.Context) (map[JobKind]time.Time, error)
	// LastSuccesses returns when a run of each job last ended without a failure.
	LastSuccesses(ctx context.Context) (map[JobKind]time.Time, error)
	// PruneRuns forgets the runs that ended before a time.
	PruneRuns(ctx context.Context, before time.Time) error
}
