package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/facesoft/lapse/config"
)

// errUnwell means that the doctor found something that keeps a run from its work.
var errUnwell = errors.New("something that a run needs is not in order")

func (a *app) doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Check everything that a run needs, and say how to mend it",
		Long: `Looks at the settings, the policy, the regions of all stores, ClickHouse (version,
rights, disks, clock, schema, mutations that fail), the buckets, the audit log with
its keys, the spool and the write keys, the schedule, and the last runs. It changes
nothing in any of them.

What keeps a run from its work is a fault, what an operator should know a warning.
Each comes with what to do about it. The exit code is 1 if there is a fault.`,
		Example: "  lapse doctor\n  lapse doctor --output json",
		Args:    exactly(0),
		RunE:    func(c *cobra.Command, _ []string) error { return a.doctor(c.Context(), time.Now) },
	}
}

// finding is what the doctor has found out about one thing.
type finding struct {
	What  string    `json:"what"`
	State condition `json:"state"`
	Found string    `json:"found"`
	Cure  string    `json:"cure,omitempty"`
}

// condition is how something is.
type condition string

const (
	wellState    condition = "ok"
	warningState condition = "warning"
	faultState   condition = "fault"
)

// examination is one visit to the doctor.
type examination struct {
	app      *app
	settings *config.Settings
	policy   *config.Policy // nil if it cannot be read
	now      func() time.Time
	where    string // the node of a cluster that findings are about; empty if there is one server
	findings []finding
}

// note adds a finding.
func (e *examination) note(what string, is condition, cure, found string) {
	if e.where != "" {
		what += ", " + e.where
	}
	e.findings = append(e.findings, finding{what, is, found, cure})
}

func (e *examination) well(what, found string, args ...any) {
	e.note(what, wellState, "", fmt.Sprintf(found, args...))
}

func (e *examination) warn(what, cure, found string, args ...any) {
	e.note(what, warningState, cure, fmt.Sprintf(found, args...))
}

func (e *examination) fault(what, cure, found string, args ...any) {
	e.note(what, faultState, cure, fmt.Sprintf(found, args...))
}

// doctor examines everything and reports.
func (a *app) doctor(ctx context.Context, now func() time.Time) error {
	e := &examination{app: a, settings: a.settings, now: now}
	for _, look := range []func(context.Context){
		e.lookAtPolicy, e.lookAtFolders, e.lookAtAuditKey, e.lookAtAuditLog, e.lookAtKubernetes, e.lookAtClickHouse, e.lookAtBuckets, e.lookAtInputs, e.lookAtCollector, e.lookAtSchedule,
	} {
		look(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	faults := 0
	for _, f := range e.findings {
		if f.State == faultState {
			faults++
		}
	}
	if err := a.printFindings(e.findings); err != nil || faults == 0 {
		return err
	}
	return fmt.Errorf("%w: %d faults", errUnwell, faults)
}

func (a *app) printFindings(findings []finding) error {
	if a.output == "json" {
		return a.printJSON(findings)
	}
	for _, f := range findings {
		a.say("%-8s %s: %s", f.State, f.What, f.Found)
		if f.Cure != "" {
			a.say("         -> %s", f.Cure)
		}
	}
	return nil
}

// lookAtPolicy checks the policy, and the regions of all stores against it.
func (e *examination) lookAtPolicy(context.Context) {
	if e.settings.File == "" {
		e.warn("settings", "run 'lapse init', or name a file with --config", "there is no lapse.yaml here; the defaults and the environment count")
	} else {
		e.well("settings", "%s", e.settings.File)
	}
	p, err := e.app.loadPolicy()
	if err != nil {
		e.fault("policy", "mend what is named; 'lapse policy check' lists all faults", "%v", err)
		return
	}
	e.policy = p
	e.well("policy", "%s %s, %d datasets", p.Name, p.Version, len(p.Datasets))
	if p.EffectiveFrom.Start(p.TimeZone.Location()).After(e.now()) {
		e.warn("policy", "carry out the version that is in force", "it is in force from %s only", p.EffectiveFrom)
	}
	if err := e.settings.CheckRegions(p); err != nil {
		e.fault("regions", "move the store, or name one of the policy's safeguards in its safeguard setting", "%v", err)
		return
	}
	e.well("regions", "all stores lie where the policy allows")
}
