// Package config_test keeps the sample configurations good.
package config_test

import (
	"testing"

	"dusthub/node/collect"
	"dusthub/node/config"
)

func TestSamples(t *testing.T) {
	if _, err := config.Load("site.yaml", nil, nil); err != nil {
		t.Error(err)
	}
	if _, err := collect.LoadConfig("gateway.yaml"); err != nil {
		t.Error(err)
	}
	if _, err := collect.LoadReplay("gateway.yaml", "mapping.yaml", "any.csv"); err != nil {
		t.Error(err)
	}
}
