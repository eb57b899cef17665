// A daemon in Go: usage: daemon CACHE_DIRECTORY BLOB_DIRECTORY. A goroutine for each message.
package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

const (
	opOpen       = 0
	opClose      = 1
	opRead       = 2
	readComplete = 0x40049801
)

type object struct {
	fd   int
	blob *os.File
}

var (
	objects = map[uint32]object{}
	lock    sync.Mutex
)

func command(device int, format string, arguments ...any) {
	text := fmt.Sprintf(format, arguments...)
	if _, err := syscall.Write(device, []byte(text)); err != nil {
		fmt.Println(text, err)
	}
}

func handle(device int, message []byte, blobs string) {
	id := binary.LittleEndian.Uint32(message)
	number := binary.LittleEndian.Uint32(message[12:])
	switch binary.LittleEndian.Uint32(message[4:]) {
	case opOpen:
		volume := binary.LittleEndian.Uint32(message[16:])
		fd := int(binary.LittleEndian.Uint32(message[24:]))
		blob, err := os.Open(filepath.Join(blobs, string(message[32+volume:])))
		if err != nil {
			command(device, "copen %d,%d", id, -int(syscall.ENOENT))
			syscall.Close(fd)
			return
		}
		lock.Lock()
		objects[number] = object{fd, blob}
		lock.Unlock()
		info, _ := blob.Stat()
		command(device, "copen %d,%d", id, info.Size())
	case opRead:
		lock.Lock()
		found := objects[number]
		lock.Unlock()
		offset := int64(binary.LittleEndian.Uint64(message[16:]))
		data := make([]byte, binary.LittleEndian.Uint64(message[24:]))
		found.blob.ReadAt(data, offset) // what is behind the end stays zeros
		if _, err := syscall.Pwrite(found.fd, data, offset); err != nil {
			fmt.Println("pwrite", err)
		}
		syscall.Syscall(syscall.SYS_IOCTL, uintptr(found.fd), readComplete, uintptr(id))
	case opClose:
		lock.Lock()
		found := objects[number]
		delete(objects, number)
		lock.Unlock()
		found.blob.Close()
		syscall.Close(found.fd)
	}
}

func main() {
	device, err := syscall.Open("/dev/cachefiles", syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	if err != nil {
		fmt.Println("open", err)
		os.Exit(1)
	}
	command(device, "dir %s", os.Args[1])
	command(device, "bind ondemand")
	events, _ := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	syscall.EpollCtl(events, syscall.EPOLL_CTL_ADD, device, &syscall.EpollEvent{Events: syscall.EPOLLIN})
	fmt.Println("ready")
	for {
		happened := make([]syscall.EpollEvent, 1)
		if _, err := syscall.EpollWait(events, happened, -1); err == syscall.EINTR {
			continue
		}
		message := make([]byte, 1024)
		size, err := syscall.Read(device, message)
		if err != nil {
			fmt.Println("read", err)
			os.Exit(1)
		}
		if size > 0 {
			go handle(device, message[:size], os.Args[2])
		}
	}
}
