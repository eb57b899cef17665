// A cold read as a Go program does it: no C library, many threads, signals of its own.
package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"sync"
	"syscall"
)

const readComplete = 0x40049801

func readMessage(device int) int {
	message := make([]byte, 1024)
	size, err := syscall.Read(device, message)
	fmt.Println("read", size, err)
	if err != nil || size < 16 {
		return -1
	}
	opcode := binary.LittleEndian.Uint32(message[4:])
	fmt.Println("opcode", opcode)
	if opcode != 0 {
		return -1
	}
	return int(binary.LittleEndian.Uint32(message[24:]))
}

// Keeps all threads busy, so that the runtime sends its preemption signals around.
func busy(done chan struct{}, all *sync.WaitGroup) {
	defer all.Done()
	for {
		select {
		case <-done:
			return
		default:
		}
	}
}

func main() {
	done := make(chan struct{})
	var all sync.WaitGroup
	for i := 0; i < 4; i++ {
		all.Add(1)
		go busy(done, &all)
	}
	device, err := syscall.Open("/dev/cachefiles", syscall.O_RDWR, 0)
	fmt.Println("open", device, err)
	fd := readMessage(device)
	written, err := syscall.Pwrite(fd, []byte("hello"), 0)
	fmt.Println("pwrite", written, err)
	readMessage(device)
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), readComplete, 7)
	fmt.Println("complete", int(errno))
	failed := 0
	for i := 0; i < 200; i++ {
		if size, err := syscall.Read(device, make([]byte, 16)); size != 0 || err != nil {
			failed++
		}
	}
	fmt.Println("failed", failed)
	close(done)
	all.Wait()
	os.Exit(0)
}
