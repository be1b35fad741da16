// Package ingest is a site's access doors: it takes readings from gateways in six forms and turns them into frames that raft commits.
//
//	POST /api/v1/samples            JSON, one reading, an array, or {"samples": [...]}
//	POST /api/v2/write, /write      InfluxDB line protocol
//	POST /api/v1/prom/write         Prometheus remote write 1.0
//	POST /access/v1/...             the ministry's SM4-CBC JSON form (domain 2.2 to 2.4)
//	MQTT 3.1.1 and 5                JSON on dusthub/<gateway>/up
//	rpc.Access                      batches over TLCP, from edge gateways
//
// Each door only parses and authenticates. What they share is the Intake: it judges every reading by the metrics of its gateway
// (Directory), hands the good ones to the Batcher, which makes one frame of what all doors brought within 5 ms, and keeps the bad
// ones in quarantine with every reason. A door answers when the frame is committed, so that an acknowledged reading is never lost; a sender that
// got no answer sends again, and what is there already is a duplicate.
package ingest
