package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/facesoft/lapse/sinks"
)

func (a *app) quarantineCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "quarantine",
		Short: "Look at records that could not be read, and read them again",
		Long: `Records that ingest could not read are set aside as they stood, with the reason and
where they came from, for the policy's own short window (quarantine.keep). They may
hold anything, so nothing of them is shown but by 'lapse quarantine show'.

Once what was wrong with the policy or the program is mended, 'lapse quarantine
replay' reads them again, as if their files were being read.`,
	}
	c.AddCommand(a.quarantineListCommand(), a.quarantineShowCommand(), a.quarantineReplayCommand(), a.quarantineDropCommand())
	return c
}

func (a *app) quarantineListCommand() *cobra.Command {
	var reason string
	var limit int
	c := &cobra.Command{
		Use:   "list",
		Short: "Count what was set aside, by reason; with --reason, list the records",
		Example: `  lapse quarantine list
  lapse quarantine list --reason wrong_type --limit 20 --output json`,
		Args: exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			if limit < 1 {
				return usageError{errors.New("--limit is at least 1")}
			}
			return a.listQuarantine(c.Context(), reason, limit)
		},
	}
	c.Flags().StringVar(&reason, "reason", "", "list the records that were set aside for this reason, without their content")
	c.Flags().IntVar(&limit, "limit", 100, "list so many records at most, the oldest first")
	return c
}

func (a *app) listQuarantine(ctx context.Context, reason string, limit int) error {
	i, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer i.Close() //nolint:errcheck // read only
	if reason != "" {
		return a.listQuarantined(ctx, i, reason, limit)
	}
	groups, err := i.store.QuarantineGroups(ctx)
	if err != nil {
		return err
	}
	if a.output == "json" {
		return a.printJSON(append([]sinks.QuarantineGroup{}, groups...))
	}
	rows := make([][]any, len(groups))
	for n, g := range groups {
		rows[n] = []any{g.Reason, g.Field, g.Format, g.Records, g.Sources, g.First, g.Last}
	}
	a.printTable([]string{"reason", "field", "format", "records", "files", "first seen (UTC)", "last seen (UTC)"}, rows)
	return nil
}

// setAside is a record in quarantine as it is listed.
type setAside struct {
	Record    sinks.ID  `json:"record"`
	Reason    string    `json:"reason"`
	Field     string    `json:"field,omitempty"`
	Source    string    `json:"source"` // the first 64 bits of the input file's digest
	Position  uint64    `json:"position"`
	FirstSeen time.Time `json:"first_seen"`
	Bytes     int       `json:"bytes"`
}

func listed(q sinks.QuarantinedRecord) setAside {
	return setAside{q.ID, q.Reason, q.Field, fmt.Sprintf("%016x", q.Origin.Source), q.Origin.Position, q.FirstSeen, len(q.Raw)}
}

func (a *app) listQuarantined(ctx context.Context, i *installation, reason string, limit int) error {
	records := []setAside{}
	err := i.store.QuarantinedRecords(ctx, sinks.QuarantineSelection{Reason: reason}, limit, func(q sinks.QuarantinedRecord) error {
		records = append(records, listed(q))
		return nil
	})
	if err != nil {
		return err
	}
	if a.output == "json" {
		return a.printJSON(records)
	}
	rows := make([][]any, len(records))
	for n, r := range records {
		rows[n] = []any{r.Record.String(), r.Reason, r.Field, r.Source, r.Position, r.FirstSeen, r.Bytes}
	}
	a.printTable([]string{"record", "reason", "field", "file", "position", "first seen (UTC)", "bytes"}, rows)
	return nil
}

func (a *app) quarantineShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "show RECORD",
		Short:   "Show one record as it stood; it may be personal data",
		Example: "  lapse quarantine show 0f7a1c20d6b4417cbd1b6a7a3f1e9c55",
		Args:    exactly(1),
		RunE:    func(c *cobra.Command, args []string) error { return a.showQuarantined(c.Context(), args[0]) },
	}
}

func (a *app) showQuarantined(ctx context.Context, record string) error {
	var id sinks.ID
	if err := id.UnmarshalText([]byte(record)); err != nil || id.IsZero() {
		return usageError{errors.New("name a record by its 32 hexadecimal digits, as 'lapse quarantine list --reason REASON' shows them")}
	}
	i, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer i.Close() //nolint:errcheck // read only
	found := false
	err = i.store.QuarantinedRecords(ctx, sinks.QuarantineSelection{Record: id}, 1, func(q sinks.QuarantinedRecord) error {
		found = true
		if a.output == "json" {
			return a.printJSON(struct {
				setAside
				Raw string `json:"raw"`
			}{listed(q), q.Raw})
		}
		_, err := fmt.Fprintln(a.out, q.Raw)
		return err
	})
	if err == nil && !found {
		err = usageError{fmt.Errorf("the quarantine holds no record %s", id)}
	}
	return err
}
