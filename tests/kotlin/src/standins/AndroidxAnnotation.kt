package androidx.annotation

annotation class NonNull

annotation class Nullable
