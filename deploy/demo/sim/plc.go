package sim

import (
	"fmt"
	"time"

	"dusthub/deploy/demo/plants"

	"github.com/simonvetter/modbus"
)

const (
	plcIdle    = 60 * time.Second
	plcClients = 4
)

// PLC is a simulated controller of one plant on Modbus TCP: unit u's points lie in holding registers from (u-1)*32.
type PLC struct {
	world  *World
	plant  int
	server *modbus.ModbusServer
}

// StartPLC serves the plant's registers on a loopback address such as "127.0.0.1:15001".
func StartPLC(w *World, plant int, addr string) (*PLC, error) {
	p := &PLC{world: w, plant: plant}
	server, err := modbus.NewServer(&modbus.ServerConfiguration{URL: "tcp://" + addr, Timeout: plcIdle, MaxClients: plcClients}, p)
	if err != nil {
		return nil, fmt.Errorf("make PLC of %s: %w", w.Plants[plant].Name, err)
	}
	if err := server.Start(); err != nil {
		return nil, fmt.Errorf("start PLC of %s on %s: %w", w.Plants[plant].Name, addr, err)
	}
	p.server = server
	return p, nil
}

// Stop closes the listener and all connections.
func (p *PLC) Stop() error { return p.server.Stop() }

// HandleHoldingRegisters answers reads; a controller is not to be written to from here.
func (p *PLC) HandleHoldingRegisters(r *modbus.HoldingRegistersRequest) ([]uint16, error) {
	if r.IsWrite {
		return nil, modbus.ErrIllegalFunction
	}
	if p.world.Struck(p.plant, plants.SourceLost) {
		return nil, modbus.ErrServerDeviceFailure
	}
	out := make([]uint16, r.Quantity)
	p.world.registers(p.plant, r.Addr, out)
	return out, nil
}

// HandleCoils refuses: the simulated controllers have none.
func (p *PLC) HandleCoils(*modbus.CoilsRequest) ([]bool, error) {
	return nil, modbus.ErrIllegalFunction
}

// HandleDiscreteInputs refuses: the simulated controllers have none.
func (p *PLC) HandleDiscreteInputs(*modbus.DiscreteInputsRequest) ([]bool, error) {
	return nil, modbus.ErrIllegalFunction
}

// HandleInputRegisters refuses: the simulated controllers have none.
func (p *PLC) HandleInputRegisters(*modbus.InputRegistersRequest) ([]uint16, error) {
	return nil, modbus.ErrIllegalFunction
}
