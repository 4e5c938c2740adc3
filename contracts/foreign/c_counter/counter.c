/* A counter for each caller, and one for all, in C: a contract by the table of host functions alone.
 *
 *   bump(amount: u64)         add counts[caller], add total     no two callers wait for each other
 *   withdraw(amount: u64)     add counts[caller], add total     reverts with TooLittle
 *   count_of(owner: Address)  read counts[owner]
 *   total()                   read total
 *
 * What it says of itself stands in counter.json, and gets into the module by
 * `tollway abi counter.wasm --set counter.json --out counter.wasm`. */
#include "tollway.h"

/* The first byte of a key is the number of its storage field in counter.json. */
enum { COUNTS, TOTAL };

/* The number of an event. */
enum { BUMPED };

/* Arguments and values are borsh: little-endian, as this machine is. */
struct bumped {
    uint8_t by[32];
    uint64_t amount;
};

/* Nobody else writes here, and the host rewinds it after each call. */
static uint8_t counts_key[33];
static const uint8_t total_key[1] = {TOTAL};

static void key_of_caller(void) {
    counts_key[0] = COUNTS;
    tollway_caller(counts_key + 1);
}

static uint64_t amount_argument(void) {
    /* The host has checked that the arguments are of the types in counter.json. */
    uint64_t amount;
    tollway_args(&amount);
    return amount;
}

static int32_t returns_counter(const void *key, uint32_t key_len) {
    uint64_t value[2] = {0, 0};
    /* One that was never added to is absent, and 0. */
    tollway_read(key, key_len, value, sizeof value);
    tollway_output(value, sizeof value);
    return TOLLWAY_OK;
}

TOLLWAY_METHOD(bump) int32_t bump(uint32_t args_len) {
    (void)args_len;
    uint64_t amount = amount_argument();
    key_of_caller();
    tollway_add(counts_key, sizeof counts_key, amount, 0);
    tollway_add(total_key, sizeof total_key, amount, 0);
    struct bumped event;
    for (int at = 0; at < 32; at++) event.by[at] = counts_key[1 + at];
    event.amount = amount;
    tollway_emit(BUMPED, &event, sizeof event);
    return TOLLWAY_OK;
}

TOLLWAY_METHOD(withdraw) int32_t withdraw(uint32_t args_len) {
    (void)args_len;
    uint64_t amount = amount_argument();
    key_of_caller();
    if (!tollway_sub(counts_key, sizeof counts_key, amount, 0)) {
        /* The error: its first variant. */
        uint8_t error = 0;
        tollway_output(&error, sizeof error);
        return TOLLWAY_REVERTED;
    }
    /* It is a sum: it holds at least what the count held. */
    tollway_sub(total_key, sizeof total_key, amount, 0);
    return TOLLWAY_OK;
}

TOLLWAY_METHOD(count_of) int32_t count_of(uint32_t args_len) {
    (void)args_len;
    counts_key[0] = COUNTS;
    tollway_args(counts_key + 1);
    return returns_counter(counts_key, sizeof counts_key);
}

TOLLWAY_METHOD(total) int32_t total(uint32_t args_len) {
    (void)args_len;
    return returns_counter(total_key, sizeof total_key);
}
