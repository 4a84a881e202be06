package main

import (
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The Adult census data of UCI, with the hierarchies that ARX ships for it, and the
// policy that has them as a dataset.
var (
	adultData   = filepath.Join("..", "..", "..", "shared", "data", "adult")
	adultPolicy = filepath.Join("..", "..", "testdata", "policies", "adult.yaml")
)

// tuneAdult runs the command on the Adult data and returns its report. It skips the
// test where the data is not there.
func tuneAdult(t *testing.T, policy string, flags ...string) tuneReport {
	t.Helper()
	if _, err := os.Stat(adultData); err != nil {
		t.Skipf("the Adult data is not here: %v", err)
	}
	installedLibrary(t)
	args := append([]string{"policy", "tune", "adult", "--policy", policy, "--sample", filepath.Join(adultData, "adult.csv"), "-o", "json"}, flags...)
	out, err := exec.Command("lapse", args...).Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var report tuneReport
	if err := json.Unmarshal(out, &report); err != nil {
		t.Fatal(err)
	}
	return report
}

// What ARX finds to be the optimum, through the whole of the program: the policy's
// hierarchies, the sample, the SQL of the levels, the search.
func TestTuningAdultFindsTheOptimumOfARX(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		flags  []string
		levels []int
		loss   float64
	}{
		"k of 5, 4% suppressed":   {[]string{"--k", "5", "--suppression-limit", "4%"}, []int{1, 0, 1, 1, 3, 2, 2, 0, 1}, 255559.85455731067},
		"k of 100, 0% suppressed": {[]string{"--k", "100", "--suppression-limit", "0"}, []int{0, 4, 1, 1, 3, 2, 2, 1, 1}, 453196.8932458743},
		"k of 100, 4% suppressed": {[]string{"--k", "100"}, []int{1, 1, 1, 1, 3, 2, 2, 1, 1}, 379417.3460570988},
		"suppressed rows counted": {[]string{"--count-suppressed"}, []int{1, 0, 1, 1, 3, 2, 2, 0, 1}, 264971.5825580817},
		"granularity":             {[]string{"--measure", "granularity"}, []int{0, 3, 0, 1, 1, 1, 1, 2, 0}, 0.26611081915757495},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			report := tuneAdult(t, adultPolicy, c.flags...)
			if len(report.Best) != 5 || !slices.Equal(report.Best[0].Levels, c.levels) || math.Abs(report.Best[0].Loss-c.loss) > 1e-6 {
				t.Errorf("found %+v, want %v with a loss of %v", report.Best, c.levels, c.loss)
			}
		})
	}
}

func TestTuningAdultKeepsOccupationsDiverse(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(adultPolicy)
	if err != nil {
		t.Fatal(err)
	}
	data, err := filepath.Abs(adultData)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer(
		"../../../shared/data/adult", data,
		", occupation: 1", "", ", occupation: 2", "",
	).Replace(string(raw))
	text = strings.Replace(text, "hierarchy: "+data+"/adult_hierarchy_occupation.csv", "sensitive: {entropy_l: 5}", 1)
	policy := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(policy, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	report := tuneAdult(t, policy, "--count-suppressed", "--best", "1")
	if best := report.Best[0]; !slices.Equal(best.Levels, []int{1, 0, 1, 1, 2, 2, 2, 1}) || math.Abs(best.Loss-228878.2039109517) > 1e-6 {
		t.Errorf("found %+v", best)
	}
}
