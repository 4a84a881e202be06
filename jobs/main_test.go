package jobs_test

import (
	"testing"

	"github.com/facesoft/lapse/sinks/sinktest"
)

func TestMain(m *testing.M) { sinktest.Main(m) }
