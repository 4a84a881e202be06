package main

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/spf13/cobra"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks/clickhouse"
	"github.com/facesoft/lapse/sinks/engine"
)

func (a *app) queryCommand() *cobra.Command {
	var personal bool
	c := &cobra.Command{
		Use:   "query SQL",
		Short: "Query the anonymised tables, as an analyst",
		Long: `Runs a query as the user analyst, who can read the anonymised database and nothing
else. Any ClickHouse client can do the same while the engine runs.

With --personal it runs as the user reader, for those who have to look into the personal
data: in the database readable they see every dataset, without the people who have asked
for restriction.`,
		Example: `  lapse query "SELECT day, count() FROM requests GROUP BY day ORDER BY day"
  lapse query "SHOW TABLES"
  lapse query --personal "SELECT kind, topic, message FROM enquiries ORDER BY occurred_at DESC LIMIT 20"`,
		Args: exactly(1),
		RunE: func(c *cobra.Command, args []string) error { return a.query(c.Context(), args[0], personal) },
	}
	c.Flags().BoolVar(&personal, "personal", false, "as a reader of personal data")
	return c
}

func (a *app) query(ctx context.Context, sql string, personal bool) error {
	i := &installation{settings: a.settings}
	defer i.Close() //nolint:errcheck // nothing was written
	connect, run := i.analystOptions, clickhouse.QueryAnalytics
	if personal {
		connect, run = i.readerOptions, clickhouse.QueryReadable
	}
	o, err := connect(ctx)
	if err != nil {
		return err
	}
	headings, rows, err := run(ctx, o, sql)
	if err != nil {
		return err
	}
	if a.output == "json" {
		return a.printJSON(asObjects(headings, rows))
	}
	a.printTable(headings, rows)
	return nil
}

// analystOptions says how an analyst reaches ClickHouse.
func (i *installation) analystOptions(ctx context.Context) (clickhouse.Options, error) {
	return i.optionsOf(ctx, "clickhouse.analyst_dsn", i.settings.ClickHouse.AnalystDSN, func(c engine.Connection) (user, password string) {
		return c.AnalystUser, c.AnalystPassword
	})
}

// readerOptions says how those reach ClickHouse who read personal data.
func (i *installation) readerOptions(ctx context.Context) (clickhouse.Options, error) {
	if i.settings.ClickHouse.Cluster != "" {
		return clickhouse.Options{}, usageError{errors.New("there are no views for readers of personal data in a cluster: nodes ask each other with a reader's rights, and those reach no personal table")}
	}
	return i.optionsOf(ctx, "clickhouse.reader_dsn", i.settings.ClickHouse.ReaderDSN, func(c engine.Connection) (user, password string) {
		return c.ReaderUser, c.ReaderPassword
	})
}

// optionsOf says how a user other than Lapse's own reaches the server, as a setting has it,
// or the embedded engine.
func (i *installation) optionsOf(ctx context.Context, setting, dsn string, embedded func(engine.Connection) (user, password string)) (clickhouse.Options, error) {
	o := clickhouse.Options{Databases: clickhouse.DatabasesWithPrefix(i.settings.ClickHouse.DatabasePrefix), Policy: &config.Policy{}}
	if i.settings.ClickHouse.DSN == "" {
		if err := i.startEngine(ctx); err != nil {
			return o, err
		}
		o.Addresses = []string{i.engine.Address}
		o.User, o.Password = embedded(i.engine.Connection)
		return o, nil
	}
	if dsn == "" {
		return o, usageError{fmt.Errorf("set %s to query a server: queries run with rights of their own, not with Lapse's", setting)}
	}
	return o, fromDSN(&o, i.settings.ClickHouse, dsn, "")
}

// asObjects turns rows into what JSON shows best.
func asObjects(headings []string, rows [][]any) []map[string]any {
	objects := make([]map[string]any, len(rows))
	for i, r := range rows {
		objects[i] = make(map[string]any, len(headings))
		for j, h := range headings {
			v := r[j]
			if f := reflect.ValueOf(v); f.Kind() == reflect.Float64 && f.Float() != f.Float() {
				v = fmt.Sprint(v) // JSON has no NaN
			}
			objects[i][h] = v
		}
	}
	return objects
}
