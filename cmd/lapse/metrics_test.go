package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/VictoriaMetrics/metricsql"
	"github.com/goccy/go-yaml"

	"github.com/facesoft/lapse/cmd/lapse/web"
	"github.com/facesoft/lapse/config"
)

// known are the names of all metrics of the service, and of those that histograms
// consist of.
func known() map[string]bool {
	m := web.NewMetrics("test")
	(&app{settings: &config.Settings{}}).spoolGauges(m)
	names := map[string]bool{"process_resident_memory_bytes": true}
	for _, name := range m.Names() {
		names[name] = true
		if strings.HasSuffix(name, "_duration_seconds") {
			names[name+"_bucket"], names[name+"_sum"], names[name+"_count"] = true, true, true
		}
	}
	return names
}

// checkExpression fails the test if an expression cannot be read, or asks for a metric
// that there is not. It returns the metrics that it asks for.
func checkExpression(t *testing.T, names map[string]bool, where, expression string) (asked []string) {
	t.Helper()
	expression = strings.NewReplacer("$__rate_interval", "5m").Replace(expression)
	parsed, err := metricsql.Parse(expression)
	if err != nil {
		t.Errorf("%s: %v", where, err)
		return nil
	}
	metricsql.VisitAll(parsed, func(e metricsql.Expr) {
		m, ok := e.(*metricsql.MetricExpr)
		if !ok {
			return
		}
		for _, filters := range m.LabelFilterss {
			for _, f := range filters {
				if f.Label != "__name__" {
					continue
				}
				asked = append(asked, f.Value)
				if !names[f.Value] {
					t.Errorf("%s: there is no metric %q", where, f.Value)
				}
			}
		}
	})
	if len(asked) == 0 {
		t.Errorf("%s: it asks for no metric", where)
	}
	return asked
}

func TestAlertsAskForMetricsThatThereAre(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(filepath.Join("..", "..", "config", "alerts.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr, For    string
				Labels, Annotations map[string]string
			}
		}
	}
	if err := yaml.UnmarshalWithOptions(raw, &file, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	names, seen := known(), map[string]bool{}
	duration := regexp.MustCompile(`^([0-9]+[smhdw])?$`)
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			checkExpression(t, names, r.Alert, r.Expr)
			if r.Alert == "" || seen[r.Alert] || !duration.MatchString(r.For) || r.Labels["severity"] == "" || r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
				t.Errorf("%+v", r)
			}
			seen[r.Alert] = true
		}
	}
	if len(seen) < 10 {
		t.Errorf("%d alerts", len(seen))
	}
}

func TestDashboardAsksForMetricsThatThereAre(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(filepath.Join("..", "..", "config", "grafana.json"))
	if err != nil {
		t.Fatal(err)
	}
	type place struct{ X, Y, W, H int }
	var board struct {
		UID, Title    string
		SchemaVersion int
		Panels        []struct {
			ID          int
			Type, Title string
			GridPos     place
			Datasource  struct{ Type, UID string }
			Targets     []struct{ RefID, Expr string }
		}
	}
	if err := json.Unmarshal(raw, &board); err != nil {
		t.Fatal(err)
	}
	if board.UID == "" || board.SchemaVersion < 36 || len(board.Panels) < 10 {
		t.Errorf("%+v", board)
	}
	names, ids, cells := known(), map[int]bool{}, map[[2]int]string{}
	for _, p := range board.Panels {
		if ids[p.ID] || p.Title == "" || len(p.Targets) == 0 || p.Datasource.UID != "${datasource}" {
			t.Errorf("%+v", p)
		}
		ids[p.ID] = true
		for _, target := range p.Targets {
			checkExpression(t, names, p.Title, target.Expr)
		}
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := cells[[2]int{x, y}]; other != "" || x >= 24 {
					t.Fatalf("%q lies over %q, or beyond the page", p.Title, other)
				}
				cells[[2]int{x, y}] = p.Title
			}
		}
	}
}
