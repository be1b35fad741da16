// Package collect is the edge gateway: it polls a plant's controllers over Modbus TCP, keeps what it read in a bounded buffer on disk, and
// sends it to its site over TLCP until the site has acknowledged it.
//
//	source (Modbus TCP)  ->  buffer (segments on disk)  ->  sender (rpc.Access over TLCP)  ->  site
//
// What the buffer holds survives the process. A batch leaves it when the site acknowledged it, that is when raft has committed it; a batch whose
// acknowledgement was lost is sent again, and the site sees that it has it. Only a buffer that is full loses readings, the oldest,
// and counts them.
package collect
