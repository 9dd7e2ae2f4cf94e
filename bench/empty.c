/* A process that does nothing: the floor under every command time. Build with -static. */
int main(void) { return 0; }
