package diagnosis_test

import (
	"testing"

	"gradecockpit/probes/lab/labtest"
)

func TestMain(m *testing.M) { labtest.Main(m) }
